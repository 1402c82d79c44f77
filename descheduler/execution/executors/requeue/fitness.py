"""Whether an object may be stopped and started again now, from its own fields: asked while planning, of the snapshot,
and again of what the server holds right before it is done.

Sources: kueue pkg/controller/core/workload_controller.go and pkg/workload/workload.go; kuberay
ray-operator/controllers/ray/utils/validation.go (which RayJobs may be suspended); volcano pkg/controllers/job/state
(running.go: a restart keeps no pod, those that have ended neither; restarting.go: when it fails instead); kube-queue
batch-job-extension and tf-operator-extension pkg/controller/controller.go; the kinds that `switches` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from descheduler.execution.executors.requeue.switches import JOB, MARK, WORKLOAD, Switch
from descheduler.gangs.spec_reading import child, children
from descheduler.model.objects import Json

_OVER = frozenset({"Complete", "Completed", "Succeeded", "Failed", "Finished", "FailureTarget", "SuccessCriteriaMet"})
_LEAVING = {
    "Evicted": "Kueue is evicting it",
    "DeactivationTarget": "Kueue is about to deactivate it",
    "WaitingForReplacementPods": "it waits for replacements of its pods",
}
_OWN_CONTROLLERS = frozenset(
    {
        "kubernetes.io/job-controller",
        "jobset.sigs.k8s.io/jobset-controller",
        "trainer.kubeflow.org/trainjob-controller",
        "kubeflow.org/training-operator",
        "kubeflow.org/mpi-operator",
        "ray.io/kuberay-operator",
    }
)
"""Values of `managedBy` that say what holds without it."""
_RAY_RUNS = frozenset({"Initializing", "Running"})
_ORIGIN = "kueue.x-k8s.io/multikueue-origin"
_ELASTIC = "kueue.x-k8s.io/elastic-job"
_SLICE = "kueue.x-k8s.io/workload-slice-name"
_KUBE_QUEUE = "scheduling.x-k8s.io/suspend"
_RETRIES = 3  # volcano pkg/controllers/job/state/factory.go DefaultMaxRetry
QUEUE = "kueue.x-k8s.io/queue-name"


@dataclass(frozen=True, slots=True)
class Looks:
    """What is looked at of an object, wherever it was read."""

    spec: Mapping[str, Json]
    status: Mapping[str, Json]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    deleting: bool

    @property
    def marked_for(self) -> str:
        """The key of the intent that we have stopped it for, empty where we have not."""
        return self.labels.get(MARK, "")

    def holds(self, condition: str) -> bool:
        """Whether a condition is true of it."""
        return any(
            child(one, "type") == condition and child(one, "status") == "True"
            for one in children(self.status, "conditions")
        )


def unfit(switch: Switch, looks: Looks) -> str:
    """Why it is not stopped now, empty where nothing speaks against it."""
    if looks.deleting:
        return "it is being deleted"
    if looks.marked_for:
        return "it is being started again already"
    if switch.is_off(looks.spec):
        return "somebody has stopped it, and nobody but him starts it again"
    if over := next((one for one in sorted(_OVER) if looks.holds(one)), ""):
        return f"it has ended ({over})"
    if switch.commanded:
        return foreign(looks) or _unrestartable(looks)
    return foreign(looks) or (_unqueued(looks) if switch is WORKLOAD else _unsuspendable(switch, looks))


def held(switch: Switch, phases: Sequence[str]) -> str:
    """Why kube-queue does not start it again, whose QueueUnits for it have these phases; empty where it does."""
    if not phases:
        return ""
    if switch is not JOB:
        return "kube-queue holds it by an annotation, which takes no pod away"
    if len(phases) > 1:
        return "several QueueUnits of kube-queue are its"
    return "" if phases[0] == "Dequeued" else f"kube-queue has not let it go: it is {phases[0] or 'of no phase'}"


def foreign(looks: Looks) -> str:
    """Why an object, or one that is owned by it, is another's to start; empty where it is not."""
    manager = child(looks.spec, "managedBy") or child(looks.spec, "runPolicy", "managedBy")
    if manager and manager not in _OWN_CONTROLLERS:
        return f"it is run by {manager}"
    if looks.annotations.get(_ELASTIC) == "true" or _SLICE in looks.annotations:
        return "it is an elastic job, which Kueue keeps in slices"
    return "kube-queue starts it" if _KUBE_QUEUE in looks.annotations else ""


def _unqueued(looks: Looks) -> str:
    if _ORIGIN in looks.labels:
        return "another cluster's Kueue runs it here"
    if not looks.holds("Admitted"):
        return "Kueue has not admitted it"
    return next((why for condition, why in _LEAVING.items() if looks.holds(condition)), "")


def _unrestartable(looks: Looks) -> str:
    phase = child(looks.status, "state", "phase")
    if phase != "Running":
        return f"it is {phase or 'of no phase'}, and restarted is only what runs"
    if any(_number(looks.status, ended) for ended in ("succeeded", "failed")):
        return "some of its pods have ended, and Volcano would run these once more"
    if _number(looks.status, "retryCount") + 1 >= (_number(looks.spec, "maxRetry") or _RETRIES):
        return "a restart counts as a retry, and Volcano fails it with its last one"
    return ""


def _number(value: Mapping[str, Json], name: str) -> float:
    found = value.get(name)
    return found if isinstance(found, int | float) else 0


def _unsuspendable(switch: Switch, looks: Looks) -> str:
    if switch.kind.name != "RayJob":
        return ""
    if child(looks.spec, "clusterSelector"):
        return "its RayCluster is not its own, so it cannot be suspended"
    if child(looks.spec, "shutdownAfterJobFinishes") is not True:
        return "KubeRay suspends only jobs with shutdownAfterJobFinishes"
    state = child(looks.status, "jobDeploymentStatus")
    return "" if state in _RAY_RUNS else f"it is {state or 'of no state'}, and KubeRay suspends only what runs"
