"""JobSet, and TrainJob which runs as one: all jobs of a set are one gang.

Source: kubernetes-sigs/jobset api/jobset/v1alpha2. What the failure of one of its Jobs does is in `consequences`.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.gangs.lookup import Lookup, group_of
from descheduler.gangs.spec_reading import child, children, integer
from descheduler.gangs.vocabulary import BaseDialect, GangKey, Rank, Terms
from descheduler.model.objects import Json
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked
from descheduler.model.workloads import OwnerRef

GROUP = "jobset.x-k8s.io"
LABEL = "jobset.sigs.k8s.io/jobset-name"
TRAINER = "trainer.kubeflow.org"


class JobSet(BaseDialect):
    name = "jobset"
    rank = Rank.OWNER
    labels = frozenset({LABEL})

    def owned(self, namespace: str, chain: tuple[OwnerRef, ...], lookup: Lookup) -> bool:
        del namespace, lookup
        return _above(chain, GROUP, "JobSet") is not None

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        name = pod.labels.get(LABEL) or _above(lookup.chain(pod.namespace, pod.owners), GROUP, "JobSet")
        return (GangKey(self.name, pod.namespace, name),) if name else ()

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        del members
        found = lookup.find(GROUP, "JobSet", gang.namespace, gang.name)
        if isinstance(found, Blocked):
            return Terms(blocked=found)
        sizes = [_size(job) for job in children(found.spec, "replicatedJobs")]
        return Terms(minimum=sum(sizes) if sizes else None)


class TrainJob(BaseDialect):
    """Recognised by its place above the JobSet that it makes, which knows the sizes."""

    name = "trainjob"
    rank = Rank.OWNER

    def owned(self, namespace: str, chain: tuple[OwnerRef, ...], lookup: Lookup) -> bool:
        del namespace, lookup
        return _above(chain, TRAINER, "TrainJob") is not None

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        name = _above(lookup.chain(pod.namespace, pod.owners), TRAINER, "TrainJob")
        return (GangKey(self.name, pod.namespace, name),) if name else ()

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        del members
        found = lookup.find(TRAINER, "TrainJob", gang.namespace, gang.name)
        return Terms(blocked=found) if isinstance(found, Blocked) else Terms()


def _above(chain: tuple[OwnerRef, ...], group: str, kind: str) -> str | None:
    return next((o.name for o in chain if o.kind == kind and group_of(o) == group), None)


def _size(job: Json) -> int:
    """Pods of a replicated job at one time: replicas x min(parallelism, completions), each 1 when unset."""
    replicas = _or_one(integer(child(job, "replicas")))
    parallelism = _or_one(integer(child(job, "template", "spec", "parallelism")))
    completions = integer(child(job, "template", "spec", "completions"))
    return replicas * (parallelism if completions is None else min(parallelism, completions))


def _or_one(value: int | None) -> int:
    return 1 if value is None else value
