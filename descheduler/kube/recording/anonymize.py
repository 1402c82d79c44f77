"""Recordings without names: every text becomes a pseudonym, the same one wherever it appears, unless a list of what is
public says that it stays (`public_names`) and stands where such a thing can stand (`field_rules`).

Numbers, times and quantities stay where the schema has numbers, times and quantities.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from descheduler.kube.convert.custom_fields import BY_ROLE, KEPT_FIELDS
from descheduler.kube.convert.kinds import KINDS
from descheduler.kube.convert.slimming import shape_of
from descheduler.kube.devices.dra_wire import RequestPolicyWire
from descheduler.kube.recording import field_rules as rules
from descheduler.kube.recording import public_names as public
from descheduler.kube.recording.field_rules import Holds
from descheduler.kube.recording.hyper_members import members_by_name, name_of
from descheduler.kube.recording.pseudonyms import Pseudonyms
from descheduler.kube.recording.wire_objects import ClusterObjects, slim_lines
from descheduler.model.objects import Json

_COMPARES = (b'"Gt"', b'"Lt"')
_HYPER = "topology.volcano.sh/HyperNode"


class Anonymizer(Pseudonyms):
    """A cluster, and then whatever belongs to it, under one secret `key`."""

    def name(self, kind: str, text: str) -> str:
        """The pseudonym of a name of any kind ("Pod", "Namespace", "Deployment", …): what replaces it everywhere.

        All kinds share one map, since a name of one kind is part of another's and of labels.
        """
        del kind
        return self.text(text)

    def objects(self, objects: ClusterObjects) -> ClusterObjects:
        """The same cluster under pseudonyms."""
        lines = {kind: slim_lines(kind, found) for kind, found in objects.lines.items()}
        self.number(_stems(lines))
        self.compare(_compared(lines))
        if _HYPER in lines:
            lines[_HYPER] = members_by_name(lines[_HYPER], lines.get("nodes", ()))
        return dataclasses.replace(
            objects,
            lines={kind: tuple(map(self._line, found)) for kind, found in lines.items()},
            cluster="anonymized",
            anonymized=True,
        )

    def value(self, value: Json, field: str = "", within: str = "") -> Json:
        """Any part of an object; `field` is the name under which it is found, `within` that of what holds it."""
        if isinstance(value, str):
            holds = rules.FIELDS.get(f"{within}.{field}") or rules.FIELDS.get(field)
            return self.text(value) if holds is None else self.of(holds, value)
        if isinstance(value, list):
            return [
                self._object(item, field) if isinstance(item, dict) else self.value(item, field, within)
                for item in value
            ]
        if not isinstance(value, dict):
            return value
        if field == "annotations":
            return {k: self._label(k, v) for k, v in value.items() if k in public.KEYS}
        if field in rules.LABEL_MAPS and "nodeSelectorTerms" not in value:
            return {self.key(k): self._label(k, v) for k, v in value.items()}
        if field in rules.NAME_MAPS:
            return {self.text(k): self.value(v, field) for k, v in value.items()}
        if field in BY_ROLE:
            return {self.text(k): self.value(v) for k, v in value.items()}
        if field in rules.AMOUNT_MAPS and value.keys().isdisjoint(("requests", "limits", "count")):
            return {self.resource(k): self._amount(v) for k, v in value.items()}
        return self._object(value, field)

    def _object(self, value: Mapping[str, Json], name: str) -> Json:
        """What has fields, found under that name."""
        if isinstance(key := value.get("key"), str) and len(value) > 1:
            return self._keyed(key, value)
        if name in _DESCRIBED:
            return {k: self.value(v, name) for k, v in value.items() if k in ("string", "int", "bool")}
        return {
            k if k in _FIELD_NAMES or (k.isdecimal() and len(k) <= _FEW) else self.text(k): self.value(v, k, name)
            for k, v in value.items()
            if k not in rules.DROPPED
        }

    def _amount(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.of(Holds.QUANTITY, value)
        if isinstance(value, list):
            return [self._amount(one) for one in value]
        return {k: self._amount(v) for k, v in value.items() if k in _AMOUNTS} if isinstance(value, dict) else value

    def _label(self, key: str, value: Json) -> Json:
        """The value of a label, taint or annotation."""
        if not isinstance(value, str):
            return 0 if isinstance(value, int | float) else self.value(value)  # no label of Kubernetes is a number
        holds = rules.VALUES_OF.get(key)
        if holds is None:
            return self.scaled(key, value) or self.text(value)
        if holds is Holds.JSON or (holds is Holds.ROWS and value.lstrip().startswith("[")):
            try:
                told = json.loads(value)
                told = self.value(told if key in rules.FREE_JSON else _known(told), key.rpartition("/")[2])
                return json.dumps(told, separators=(",", ":"))
            except (ValueError, RecursionError):
                return self.text(value)
        return self.of(holds, value)

    def _keyed(self, key: str, value: Mapping[str, Json]) -> Json:
        """A requirement, taint or toleration: its values are those of the label that `key` names."""
        out: dict[str, Json] = {}
        for name, part in value.items():
            if name == "key":
                out[name] = self.key(key)
            elif name in ("value", "values"):
                out[name] = (
                    [self._label(key, one) for one in part] if isinstance(part, list) else self._label(key, part)
                )
            else:
                out[name] = self.value(part, name)
        return out

    def _line(self, line: bytes) -> bytes:
        return msgspec.json.encode(self.value(msgspec.json.decode(line)))


def _known(value: Json) -> Json:
    """JSON of an annotation with the keys that are read."""
    if isinstance(value, list):
        return [_known(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {k: v for k, v in value.items() if k in rules.JSON_FIELDS or (k.isdecimal() and len(k) <= _FEW)}
    return {k: v if k in rules.AMOUNT_MAPS else _known(v) for k, v in kept.items()}


_FIELD_NAMES = (
    rules.JSON_FIELDS | KEPT_FIELDS | {name for kind in KINDS.values() for name in shape_of(kind.wire).names()}
)
_AMOUNTS = frozenset({"value", *shape_of(RequestPolicyWire).names(), "requestPolicy"})
_DESCRIBED = frozenset({"productName", "model", "product", "profile", "type"})
"""Attributes of devices, each `{"string": …}`, that hold more than a name."""
_FEW = 3  # digits of a key that is a number: of a device, or how many devices a partition has


def _stems(lines: Mapping[str, Iterable[bytes]]) -> Iterator[str]:
    """Names of StatefulSets."""
    for line in lines.get("statefulsets", ()):
        yield name_of(line)


def _compared(lines: Mapping[str, Iterable[bytes]]) -> Iterator[str]:
    """Keys of labels and taints by whose numbers nodes are compared."""
    for found in lines.values():
        for line in found:
            if any(mark in line for mark in _COMPARES):
                yield from _compared_in(msgspec.json.decode(line))


def _compared_in(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        key = value.get("key")
        if value.get("operator") in ("Gt", "Lt") and isinstance(key, str):
            yield key
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _compared_in(item)
