"""Recordings without names: every name becomes a pseudonym, the same one wherever it appears.

A name is replaced word by word (`web-7d8f-x2x` becomes `w3k…-q8a…-z1p…`), each word by a keyed hash of itself. So all
that names are made of stays true without a table: a pod's name begins with its ReplicaSet's, a claim's name ends with
its pod's, selectors match, `namespace/name` references resolve. Kept as they are: what the API itself defines
(enumerations, quantities, times, well-known label keys and namespaces) and short numbers, ordinals above all.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping

import msgspec

from descheduler.kube.recording import public_names as public
from descheduler.kube.recording.wire_objects import ClusterObjects
from descheduler.model.objects import Json

_WORD = re.compile(r"[A-Za-z0-9]+")
# What quotas count that is no resource of a container: core/v1, and the object counts of pkg/quota/v1/generic.
_OF_CLASS = re.compile(r"(.+)(\.(?:storageclass|volumeattributesclass)\.storage\.k8s\.io/.+)")
_COUNTED = re.compile(r"count/(([^.]+)(?:\.(.+))?)")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


class Anonymizer:
    """Pseudonyms under one secret `key`; with the same key the same names give the same pseudonyms."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:64]
        self._words: dict[str, str] = {}

    def name(self, kind: str, text: str) -> str:
        """The pseudonym of a name of any kind ("Pod", "Namespace", "Deployment", …): what replaces it everywhere.

        All kinds share one map, since a name of one kind is part of another's and of labels.
        """
        del kind
        return self.text(text)

    def text(self, text: str) -> str:
        """A text with every name in it replaced."""
        return _NAME.sub(lambda found: self._whole(found.group()), text)

    def label(self, key: str, value: str) -> str:
        """The value of a label, taint or annotation."""
        if value[:1] in ("{", "["):
            try:
                return json.dumps(self.value(json.loads(value)), separators=(",", ":"))
            except ValueError:
                return self.text(value)
        return value if public.KEPT_VALUES.search(key) else self.text(value)

    def key(self, key: str) -> str:
        """The key of a label, taint or annotation."""
        domain, slash, name = key.rpartition("/")
        if slash and _product(domain):
            # Fluid's carry a name in the key itself: fluid.io/s-<namespace>-<dataset>.
            return f"{domain}/{name[:2]}{self.text(name[2:])}" if name.startswith(("s-", "f-")) else key
        return key if not slash and key in public.KEPT_KEYS else self.text(key)

    def resource(self, resource: str) -> str:
        """The name of a resource, or a quota's name for it; `<domain>/gpu` stays recognisable."""
        if of_class := _OF_CLASS.fullmatch(resource):
            return self.text(of_class[1]) + of_class[2]
        if counted := _COUNTED.fullmatch(resource):
            group = counted[3] or ""
            return resource if "." not in group or _product(group) else f"count/{self.text(counted[1])}"
        if resource.startswith("requests.") and "/" in resource:
            return f"requests.{self.resource(resource.removeprefix('requests.'))}"
        domain, slash, name = resource.rpartition("/")
        return f"{self.key(domain + '/x').rpartition('/')[0]}/{name}" if slash else resource

    def value(self, value: Json, field: str = "") -> Json:
        """Any part of an object; `field` is the name under which it is found."""
        if isinstance(value, str):
            return self._field(field, value)
        if isinstance(value, list):
            return [self.value(item, field) for item in value]
        if not isinstance(value, dict):
            return value
        if field in public.LABEL_MAPS:
            return {self.key(k): self.label(k, v) if isinstance(v, str) else v for k, v in value.items()}
        if field in public.AMOUNT_MAPS and not any(isinstance(v, (dict, list)) for v in value.values()):
            return {self.resource(k): v for k, v in value.items()}
        if isinstance(key := value.get("key"), str):
            return self._keyed(key, value)
        return {k: self.value(v, k) for k, v in value.items() if k not in public.DROPPED}

    def objects(self, objects: ClusterObjects) -> ClusterObjects:
        """The same cluster under pseudonyms."""
        return dataclasses.replace(
            objects,
            lines={kind: self._lines(lines) for kind, lines in objects.lines.items()},
            cluster="anonymized",
            anonymized=True,
        )

    def _lines(self, lines: Iterable[bytes]) -> tuple[bytes, ...]:
        return tuple(msgspec.json.encode(self.value(msgspec.json.decode(line))) for line in lines)

    def _keyed(self, key: str, value: Mapping[str, Json]) -> Json:
        """A requirement, taint or toleration: its values are those of the label that `key` names."""
        out: dict[str, Json] = {}
        for name, part in value.items():
            if name == "key":
                out[name] = key if key.startswith("metadata.") else self.key(key)
            elif name == "value" and isinstance(part, str):
                out[name] = self.label(key, part)
            elif name == "values" and isinstance(part, list):
                out[name] = [self.label(key, v) if isinstance(v, str) else v for v in part]
            else:
                out[name] = self.value(part, name)
        return out

    def _field(self, field: str, text: str) -> str:
        if field in public.KEPT_FIELDS or public.ENUM.fullmatch(text) or public.PLAIN.fullmatch(text):
            return text
        if field in public.KEY_FIELDS:
            return self.key(text)
        if field in public.DOMAIN_FIELDS:
            domain = text.partition("/")[0]
            return text if "." not in domain or _product(domain) else self.text(text)
        return self.text(text)

    def _whole(self, name: str) -> str:
        return (
            name
            if name in public.KEPT_TEXTS
            or public.PLAIN.fullmatch(name)
            or (public.DRIVER.search(name) and _product(name))
            else _WORD.sub(lambda found: self._word(found.group()), name)
        )

    def _word(self, word: str) -> str:
        if word.isdecimal() and len(word) <= 6:
            return word
        made = self._words.get(word)
        if made is None:
            digest = hashlib.blake2b(word.encode(), key=self._key, digest_size=5).digest()
            # A letter first, so that a word cannot turn into a number.
            made = self._words[word] = "x" + base64.b32encode(digest).decode().lower()
        return made


def _product(domain: str) -> bool:
    return any(domain == known or domain.endswith("." + known) for known in public.KEPT_DOMAINS)
