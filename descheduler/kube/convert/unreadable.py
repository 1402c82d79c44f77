"""Objects that make no sense: the path of the field that does not, and what takes such an object's place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.wire import MetaWire, Object, Slim
from descheduler.kube.devices import device_objects
from descheduler.kube.devices.device_objects import KoordinatorDevice, ResourceClaim, ResourceSlice
from descheduler.model.admission import LimitRange, ResourceQuota
from descheduler.model.budgets import PUB, DisruptionBudget
from descheduler.model.fence import Unreadable
from descheduler.model.labels import Labels
from descheduler.model.nodes import Node
from descheduler.model.pods import Phase, Pod, PodSpec
from descheduler.model.selectors import LabelSelector

UNAVAILABLE_BUDGETS = "policy.kruise.io/PodUnavailableBudget"
UNREADABLE_SPEC = PodSpec(requests=(("pods", 1),), local_storage=True)


@contextmanager
def under(field: str) -> Iterator[None]:
    """Put `field` in front of the path of an Unreadable that passes."""
    try:
        yield
    except Unreadable as e:
        raise Unreadable(f"{field}.{e.field}" if e.field else field, e.why) from e


class _Bound(Slim, frozen=True, gc=False):
    node_name: str = ""


class _BoundPod(Object, frozen=True, gc=False):
    spec: _Bound = _Bound()


def stand_in(kind: str, meta: MetaWire, why: str, intern: Interner, raw: bytes = b"") -> object | None:
    """What takes the place of an object that cannot be used, so that nothing is decided as if it were not there.

    A pod that may not move, on a node whose load is therefore unknown; a node that is not ready; a budget that
    protects its whole namespace; a quota or limits that let nothing into theirs; an object that tells of devices
    without telling. Of other kinds nothing: what refers to them finds them missing.
    """
    match kind:
        case "pods":
            return Pod(
                namespace=meta.namespace,
                name=meta.name,
                uid=meta.uid,
                spec=UNREADABLE_SPEC,
                labels=_labels(meta, intern),
                owners=intern.owners(meta.owner_references),
                node=_node_name(raw),
                phase=Phase.UNKNOWN,
                ready=False,
                problem=why,
            )
        case "nodes":
            return Node(meta.name, meta.uid, _labels(meta, intern), ready=False)
        case "poddisruptionbudgets":
            return DisruptionBudget(meta.namespace, meta.name, LabelSelector(), generation=1)
        case "resourcequotas":
            return ResourceQuota(meta.namespace, meta.name, problem=why)
        case "limitranges":
            return LimitRange(meta.namespace, meta.name, problem=why)
        case _ if kind == UNAVAILABLE_BUDGETS:
            return DisruptionBudget(meta.namespace, meta.name, LabelSelector(), generation=1, kind=PUB)
        case device_objects.SLICES:
            node = next((o.name for o in meta.owner_references or () if o.kind == "Node"), "")
            return ResourceSlice("", "ResourceSlice", "", meta.name, meta.uid, node=node, problem=why)
        case device_objects.CLAIMS:
            return ResourceClaim("", "ResourceClaim", meta.namespace, meta.name, meta.uid, problem=why)
        case device_objects.DEVICES:
            return KoordinatorDevice("", "Device", "", meta.name, meta.uid, problem=why)
        case _:
            return None


def _labels(meta: MetaWire, intern: Interner) -> Labels:
    try:
        return intern.labels(meta.labels)
    except msgspec.MsgspecError:
        return Labels()


def _node_name(raw: bytes) -> str:
    try:
        return msgspec.json.decode(raw, type=_BoundPod).spec.node_name if raw else ""
    except msgspec.MsgspecError:
        return ""
