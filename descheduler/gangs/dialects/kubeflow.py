"""Jobs of the training operator and MPIJob: all replicas are one gang.

Sources: kubeflow/training-operator pkg/controller.v1; kubeflow/mpi-operator pkg/controller/mpi_job_controller.go. The
operator creates a missing replica again, but the collective is broken and every rank goes back to its checkpoint. A
replica whose restart policy is `Never` and that is seen as Failed fails the job for good.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.gangs.lookup import Lookup, group_of
from descheduler.gangs.spec_reading import child, integer
from descheduler.gangs.vocabulary import BaseDialect, GangKey, Rank, Terms
from descheduler.model.objects import CustomObject, Json
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.units import Consequence, DisruptionMode
from descheduler.model.workloads import OwnerRef

GROUP = "kubeflow.org"
LABEL = "training.kubeflow.org/job-name"
KINDS = ("PyTorchJob", "TFJob", "MPIJob", "XGBoostJob", "PaddleJob", "JAXJob")


class Kubeflow(BaseDialect):
    """Gangs are named "Kind/name", because two kinds may use one name."""

    name = "kubeflow"
    rank = Rank.OWNER
    labels = frozenset({LABEL})

    def owned(self, namespace: str, chain: tuple[OwnerRef, ...], lookup: Lookup) -> bool:
        del namespace, lookup
        return any(group_of(o) == GROUP for o in chain)

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        for owner in lookup.chain(pod.namespace, pod.owners):
            if group_of(owner) == GROUP:
                return (GangKey(self.name, pod.namespace, f"{owner.kind}/{owner.name}"),)
        name = pod.labels.get(LABEL)
        if not name:
            return ()
        kinds = [k for k in KINDS if lookup.snapshot.custom(GROUP, k, pod.namespace, name) is not None]
        return (GangKey(self.name, pod.namespace, f"{'|'.join(kinds) or '?'}/{name}"),)

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        kind, _, name = gang.name.partition("/")
        if "|" in kind:
            return Terms(blocked=Blocked(Reason.GANG_AMBIGUOUS, str(gang), "jobs of several kinds have this name"))
        if kind == "?":
            return Terms(blocked=Blocked(Reason.GANG_UNKNOWN, str(gang), "no training job has this name"))
        found = lookup.find(GROUP, kind, gang.namespace, name)
        if isinstance(found, Blocked):
            return Terms(blocked=found)
        elastic = integer(child(found.spec, "elasticPolicy", "minReplicas"))
        planned = integer(child(found.spec, "runPolicy", "schedulingPolicy", "minAvailable"))
        consequence = _consequence(found, members, lookup)
        if elastic is not None and consequence is Consequence.GROUP_RESTARTS:
            # torchrun gathers again with those that are left.
            return Terms(planned or elastic, DisruptionMode.PER_POD, Consequence.RESCHEDULED)
        return Terms(planned or _replicas(found), None, consequence)


def _specs(job: CustomObject) -> list[dict[str, Json]]:
    """The replica specs of every type (`pytorchReplicaSpecs` and the like)."""
    named = (child(job.spec, key) for key in job.spec if key.endswith("ReplicaSpecs"))
    return [s for specs in named if isinstance(specs, dict) for s in specs.values() if isinstance(s, dict)]


def _replicas(job: CustomObject) -> int | None:
    counts = [integer(s.get("replicas")) for s in _specs(job)]
    return sum(1 if c is None else c for c in counts) or None


def _consequence(job: CustomObject, members: Sequence[Pod], lookup: Lookup) -> Consequence:
    if job.kind == "MPIJob":
        return _launcher(members, lookup)
    never = any(s.get("restartPolicy") == "Never" for s in _specs(job))
    if never or integer(child(job.spec, "runPolicy", "backoffLimit")) == 0:
        return Consequence.FAILS
    return Consequence.GROUP_RESTARTS


def _launcher(members: Sequence[Pod], lookup: Lookup) -> Consequence:
    """mpirun ends with any worker: the launcher, a Job, then needs one more try."""
    for pod in members:
        owner = pod.controller
        job = lookup.workload(pod.namespace, owner) if owner is not None and owner.kind == "Job" else None
        if job is not None and not job.failures_left:
            return Consequence.FAILS
    return Consequence.GROUP_RESTARTS
