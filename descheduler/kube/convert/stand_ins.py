"""What takes the place of an object that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import Endpoint
from descheduler.kube.convert.pieces import part
from descheduler.kube.convert.selectors import label_selector
from descheduler.kube.convert.unreadable import UNREADABLE_SPEC
from descheduler.kube.convert.wire import BudgetWire, LabelSelectorWire, MetaWire, Object, PodWire
from descheduler.kube.convert.workloads import Namespace
from descheduler.kube.devices.device_objects import DEVICES, KoordinatorDevice
from descheduler.model import dra
from descheduler.model.admission import LimitRange, ResourceQuota
from descheduler.model.budgets import PUB, DisruptionBudget
from descheduler.model.fence import Unreadable
from descheduler.model.labels import Labels
from descheduler.model.nodes import Node
from descheduler.model.objects import CustomObject
from descheduler.model.pods import Phase, Pod
from descheduler.model.selectors import LabelSelector
from descheduler.model.storage import CsiNode
from descheduler.model.workloads import BUILT_IN, Workload

UNAVAILABLE_BUDGETS = "policy.kruise.io/PodUnavailableBudget"
_PHASES = {phase.value: phase for phase in Phase}


@dataclass(frozen=True, slots=True)
class Broken:
    """One object, as it came, that the schema does not fit; `metadata` as far as it can be read."""

    raw: bytes
    metadata: MetaWire
    why: str


def stand_in(endpoint: Endpoint, found: Object | Broken, why: str, intern: Interner) -> object | None:
    """What takes the place of an object that cannot be used, so that nothing is decided as if it were not there.

    A pod that may not move, on a node whose load is therefore unknown; a node that is not ready; a budget that
    protects what it may select; a quota or limits that let nothing into theirs; a controller whose pods stay; an object
    of an optional API, whose gang or devices are then not known. Of other kinds nothing: what refers to them finds them
    missing.
    """
    meta, kind = found.metadata, endpoint.kind
    namespace, name = meta.namespace, meta.name
    match kind.key:
        case "pods":
            return _pod(found, why, intern)
        case "nodes":
            return Node(name, meta.uid, _labels(meta, intern), ready=False)
        case "namespaces":
            return Namespace(name, _labels(meta, intern), ending=meta.deletion_timestamp is not None)
        case "poddisruptionbudgets":
            return DisruptionBudget(namespace, name, _selector(found), generation=1)
        case "resourcequotas":
            return ResourceQuota(namespace, name, problem=why)
        case "limitranges":
            return LimitRange(namespace, name, problem=why)
        case "csinodes":
            return CsiNode(name, problem=why)
        case key if key in BUILT_IN.values():
            return Workload(
                kind.name,
                endpoint.api_version,
                namespace,
                name,
                meta.uid,
                labels=_labels(meta, intern),
                owners=intern.owners(meta.owner_references),
                problem=why,
            )
        case key if key == UNAVAILABLE_BUDGETS:
            return DisruptionBudget(namespace, name, LabelSelector(), generation=1, kind=PUB)
        case dra.SLICES:
            node = next((o.name for o in meta.owner_references or () if o.kind == "Node"), "")
            return dra.ResourceSlice("", kind.name, "", name, meta.uid, reach=dra.Reach(node), problem=why)
        case dra.CLAIMS:
            return dra.ResourceClaim("", kind.name, namespace, name, meta.uid, problem=why)
        case dra.TEMPLATES:
            return dra.ResourceClaimTemplate("", kind.name, namespace, name, meta.uid, problem=why)
        case dra.CLASSES:
            return dra.DeviceClass("", kind.name, "", name, meta.uid, problem=why)
        case dra.TAINT_RULES:
            return dra.DeviceTaintRule("", kind.name, "", name, meta.uid, problem=why)
        case key if key == DEVICES:
            return KoordinatorDevice("", "Device", "", name, meta.uid, problem=why)
        case _ if not kind.core:
            return CustomObject(
                endpoint.api_version,
                kind.name,
                namespace,
                name,
                meta.uid,
                labels=_labels(meta, intern),
                owners=intern.owners(meta.owner_references),
                problem=why,
            )
        case _:
            return None


def _pod(found: Object | Broken, why: str, intern: Interner) -> Pod:
    if isinstance(found, PodWire):
        node, phase = found.spec.node_name, found.status.phase
    else:
        assert isinstance(found, Broken)
        node, phase = part(found.raw, "spec.nodeName", str) or "", part(found.raw, "status.phase", str) or ""
    meta = found.metadata
    return Pod(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        spec=UNREADABLE_SPEC,
        labels=_labels(meta, intern),
        owners=intern.owners(meta.owner_references),
        node=node,
        phase=_PHASES.get(phase, Phase.UNKNOWN),
        ready=False,
        problem=why,
    )


def _labels(meta: MetaWire, intern: Interner) -> Labels:
    try:
        return intern.labels(meta.labels)
    except msgspec.MsgspecError:
        return Labels()


def _selector(found: Object | Broken) -> LabelSelector | None:
    """Whom the budget selects; all of its namespace where that cannot be read."""
    if isinstance(found, BudgetWire):
        wire = found.spec.selector
    else:
        assert isinstance(found, Broken)
        wire = part(found.raw, "spec.selector", LabelSelectorWire)
    try:
        return LabelSelector() if wire is None else label_selector(wire)
    except Unreadable:
        return LabelSelector()
