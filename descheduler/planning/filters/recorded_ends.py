"""Finished pods that their operator would miss: it goes by the pods that are there, and makes those that it misses.

Sources: volcano-sh/volcano pkg/controllers/job/job_controller_actions.go (`syncJob` makes the pods of a task that are
not there, and a deleted pod is the event PodEvicted); kubeflow/training-operator pkg/controller.v1/common/pod.go
(`ReconcilePods` makes a pod for each index without one); argo-workflows workflow/controller/operator.go (a step whose
pod is gone before its end was noted has failed). A Job of Kubernetes notes it before its pod may go (finalizer
batch.kubernetes.io/job-tracking), and a ReplicaSet has replaced the pod already.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from descheduler.gangs.spec_reading import child, children
from descheduler.model.objects import CustomObject
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.workloads import OwnerRef
from descheduler.planning.filters.context import Filter, FilterContext

_GROUPS = frozenset({"batch.volcano.sh", "kubeflow.org"})
_ENDED = frozenset({"Completed", "Failed", "Terminated", "Aborted", "Succeeded"})
"""Phases and conditions of their jobs after which nothing is made again."""
_NOTED = "workflows.argoproj.io/completed"


def recorded_end_filter(context: FilterContext) -> Iterator[Filter]:
    """Finished pods of jobs that are not over; those of one owner are asked about once."""
    owners, finished = context.looks.owners.rows, context.finished
    concerned = set(np.unique(owners[finished]).tolist())
    refused = {
        row: blocked
        for row, pod in enumerate(context.looks.first_of_owner)
        if row in concerned and (blocked := _missed(context, pod)) is not None
    }
    mask = np.isin(owners, list(refused)) & finished
    yield Filter(Reason.WOULD_RUN_AGAIN, mask, lambda i: refused[int(owners[i])])
    unnoted = context.by_labels(lambda labels: labels.get(_NOTED) == "false") & finished
    yield Filter(
        Reason.WOULD_RUN_AGAIN,
        unnoted,
        lambda i: Blocked(Reason.WOULD_RUN_AGAIN, context.name(i), "its workflow has not noted its end yet"),
    )


def _missed(context: FilterContext, pod: Pod) -> Blocked | None:
    owner = pod.controller
    if owner is None or owner.group not in _GROUPS:
        return None
    found = context.snapshot.custom(owner.group, owner.kind, pod.namespace, owner.name)
    why = _unended(context, owner, found)
    return Blocked(Reason.WOULD_RUN_AGAIN, f"{owner.kind}/{owner.name}", why) if why else None


def _unended(context: FilterContext, owner: OwnerRef, found: CustomObject | None) -> str:
    """Why the job may make the pod again; empty when it will not."""
    if found is None:
        return "" if context.snapshot.reads(owner) else "it is not known whether it has ended"
    if found.problem:
        return found.problem
    if owner.uid and found.uid and owner.uid != found.uid:
        return ""  # made anew: it does not know this pod
    conditions = (one for one in children(found.status, "conditions") if child(one, "status") == "True")
    told = {child(found.status, "state", "phase"), *(str(child(one, "type")) for one in conditions)}
    return "" if not _ENDED.isdisjoint(map(str, told)) else "it has not ended"
