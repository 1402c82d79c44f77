"""By what each kind of job is stopped and started again as a whole.

| kind                                 | field               | source |
|--------------------------------------|---------------------|--------|
| Workload of Kueue                    | `spec.active`       | kueue apis/kueue/v1beta2/workload_types.go |
| Job                                  | `spec.suspend`      | KEP-2232, kubernetes pkg/controller/job |
| JobSet                               | `spec.suspend`      | jobset api/jobset/v1alpha2/jobset_types.go |
| TrainJob                             | `spec.suspend`      | trainer pkg/apis/trainer/v1alpha1/trainjob_types.go |
| PyTorchJob, TFJob, MPIJob and others | `runPolicy.suspend` | training-operator pkg/apis/kubeflow.org/v1 |
| RayJob                               | `spec.suspend`      | kuberay ray-operator/apis/ray/v1/rayjob_types.go |
| Job of Volcano                       | none: a Command     | `commands` |

Whoever has stopped an object leaves his mark on it in the same write, and takes it away in the one that starts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from descheduler.execution.executors.eviction import EVICTING
from descheduler.gangs.spec_reading import child
from descheduler.kube.convert.kinds import KINDS, Kind
from descheduler.model.objects import Json
from descheduler.model.owners import OwnerRef
from descheduler.model.rights import Right

MARK = "rebalance.descheduler.dev/requeue"
"""Label of an object that we have stopped: the key of the intent that it was stopped for."""


@dataclass(frozen=True, slots=True)
class Switch:
    """`path` below the object leads to the field, which is `off` while its pods are to be gone; it is empty where there
    is none, and a Command restarts it."""

    kind: Kind
    path: tuple[str, ...] = ("spec", "suspend")
    off: bool = True

    @property
    def commanded(self) -> bool:
        """Whether a Command restarts it."""
        return not self.path

    def is_off(self, spec: Mapping[str, Json]) -> bool:
        """Whether it is stopped; a field that is not written is on."""
        return not self.commanded and child(spec, *self.path[1:]) is self.off

    def setting(self, *, off: bool) -> dict[str, Any]:
        """The part of a merge patch that sets the field, and nothing beside it."""
        value: Any = self.off if off else not self.off
        for name in reversed(self.path):
            value = {name: value}
        return dict(value)

    def folder(self, version: str, namespace: str) -> str:
        """The path of the collection."""
        return f"/apis/{self.kind.group}/{version}/namespaces/{namespace}/{self.kind.plural}"


_RUN_POLICY = ("spec", "runPolicy", "suspend")
_TRAINING = ("PyTorchJob", "TFJob", "MPIJob", "XGBoostJob", "PaddleJob", "JAXJob")
WORKLOAD = Switch(KINDS["kueue.x-k8s.io/Workload"], ("spec", "active"), off=False)
JOB = Switch(KINDS["jobs"])
VOLCANO = Switch(KINDS["batch.volcano.sh/Job"], path=())
_FIELDS: tuple[Switch, ...] = (
    JOB,
    Switch(KINDS["jobset.x-k8s.io/JobSet"]),
    Switch(KINDS["trainer.kubeflow.org/TrainJob"]),
    *(Switch(KINDS[f"kubeflow.org/{name}"], _RUN_POLICY) for name in _TRAINING),
    Switch(KINDS["ray.io/RayJob"]),
)
OWNERS = (*_FIELDS, VOLCANO)
QUEUE_UNIT = KINDS["scheduling.x-k8s.io/QueueUnit"]
_BETWEEN = KINDS["ray.io/RayCluster"]  # what a RayJob makes its pods by

SWITCHING: tuple[Right, ...] = (
    *EVICTING,
    *(
        Right(switch.kind.group, switch.kind.plural, verb)
        for switch in (WORKLOAD, *_FIELDS)
        for verb in ("get", "list", "patch")
    ),
    *(Right(kind.group, kind.plural, "get") for kind in (_BETWEEN, VOLCANO.kind)),
    *(Right(QUEUE_UNIT.group, QUEUE_UNIT.plural, verb) for verb in ("list", "patch")),
    *(Right("bus.volcano.sh", "commands", verb) for verb in ("list", "create", "delete")),
)
"""To find what is to be stopped, to do that, and to ask budgets before."""


def switch_of(owner: OwnerRef) -> Switch | None:
    """How whoever a reference names is stopped; None where nothing is known that does it."""
    return next((s for s in OWNERS if (s.kind.group, s.kind.name) == (owner.group, owner.kind)), None)


def passed(owner: OwnerRef) -> Kind | None:
    """The kind that a reference names, where pods of a job may hang below it."""
    found = switch_of(owner)
    if found is not None:
        return found.kind
    return _BETWEEN if (owner.group, owner.kind) == (_BETWEEN.group, _BETWEEN.name) else None


def switches_named(kind: str) -> tuple[Switch, ...]:
    """What may stop the pods whose topmost controller is of that kind; a Job may have been made by anything."""
    named = tuple(switch for switch in _FIELDS if switch.kind.name == kind)
    return (WORKLOAD, *(named or (JOB,)))


@dataclass(frozen=True, slots=True)
class Target:
    """Names one object that is stopped and started."""

    switch: Switch
    version: str
    namespace: str
    name: str
    uid: str

    @property
    def path(self) -> str:
        return f"{self.switch.folder(self.version, self.namespace)}/{quote(self.name)}"

    def __str__(self) -> str:
        return f"{self.switch.kind.name}/{self.namespace}/{self.name}"
