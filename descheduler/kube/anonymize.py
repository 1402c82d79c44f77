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

from descheduler.kube.objects import ClusterObjects
from descheduler.model.objects import Json

# Texts that are the same in every cluster and that decisions depend on.
_KEPT_TEXTS = frozenset(
    """
    default kube-system kube-public kube-node-lease system-node-critical system-cluster-critical
    default-scheduler koord-scheduler volcano kai-scheduler virtual-kubelet fargate spot
    true false control-plane master worker linux windows amd64 arm64
    """.split()
)
# Domains of API groups, label keys and drivers that belong to products, not to their users.
_KEPT_DOMAINS = tuple(
    """
    kubernetes.io k8s.io x-k8s.io koordinator.sh volcano.sh run.ai kai.scheduler kubeflow.org ray.io fluid.io
    nvidia.com amd.com hami.io alibabacloud.com aliyun.com aliyuncs.com karpenter.sh amazonaws.com k8s.aws aws.com
    azure.com gke.io cloud.google.com openshift.io virtual-kubelet.io
    """.split()
)
_KEPT_KEYS = frozenset(
    """
    app component tier version release chart heritage role type name job-name k8s-app pod-template-hash
    controller-revision-hash pod-template-generation controller-uid pod-group-name
    """.split()
)
# Their values say what a machine is, not whose.
_KEPT_VALUES = re.compile(
    r"(^|[./-])(os|arch|gpu\.product|gpu-card-model|gpu-model|gpu\.memory|gpu\.count|instance-type|role|type"
    r"|gke-accelerator|accelerator|nvidia_name|instance-gpu-name|provisioner|mode|match-policy|evict|safe-to-evict)$"
)
_LABEL_MAPS = frozenset({"labels", "annotations", "matchLabels", "nodeSelector", "minTaskMember", "disruptedPods"})
_AMOUNT_MAPS = frozenset({"requests", "limits", "allocatable", "capacity", "allocatedResources", "overhead"})
_DROPPED = frozenset({"message", "generateName", "selfLink", "managedFields", "command", "args", "env"})
_KEPT_FIELDS = frozenset({"kind", "operator", "resourceVersion"})
_DOMAIN_FIELDS = frozenset({"apiVersion", "provisioner", "driver"})
_KEY_FIELDS = frozenset({"topologyKey", "matchLabelKeys", "mismatchLabelKeys", "nodeLabel"})

_WORD = re.compile(r"[A-Za-z0-9]+")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_ENUM = re.compile(r"[A-Z][A-Za-z]+")
_PLAIN = re.compile(
    r"[+-]?\d{1,6}(\.\d+)?%?|[+-]?\d+(\.\d+)?(m|n|u|[kMGTPE]i?|e\d+)|\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)"
)


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
        return value if _KEPT_VALUES.search(key) else self.text(value)

    def key(self, key: str) -> str:
        """The key of a label, taint or annotation."""
        domain, slash, name = key.rpartition("/")
        if slash and _product(domain):
            # Fluid's carry a name in the key itself: fluid.io/s-<namespace>-<dataset>.
            return f"{domain}/{name[:2]}{self.text(name[2:])}" if name.startswith(("s-", "f-")) else key
        return key if not slash and key in _KEPT_KEYS else self.text(key)

    def resource(self, resource: str) -> str:
        """The name of a resource; `<domain>/gpu` stays recognisable."""
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
        if field in _LABEL_MAPS:
            return {self.key(k): self.label(k, v) if isinstance(v, str) else v for k, v in value.items()}
        if field in _AMOUNT_MAPS:
            return {self.resource(k): v for k, v in value.items()}
        if isinstance(key := value.get("key"), str):
            return self._keyed(key, value)
        return {k: self.value(v, k) for k, v in value.items() if k not in _DROPPED}

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
        if field in _KEPT_FIELDS or _ENUM.fullmatch(text) or _PLAIN.fullmatch(text):
            return text
        if field in _KEY_FIELDS:
            return self.key(text)
        if field in _DOMAIN_FIELDS:
            domain = text.partition("/")[0]
            return text if "." not in domain or _product(domain) else self.text(text)
        return self.text(text)

    def _whole(self, name: str) -> str:
        return (
            name
            if name in _KEPT_TEXTS or _PLAIN.fullmatch(name)
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
    return any(domain == known or domain.endswith("." + known) for known in _KEPT_DOMAINS)
