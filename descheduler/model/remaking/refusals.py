"""Why a controller would make no replacement that a plan could rely on: none, not now, or only on one node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from descheduler.model.pods import Phase, Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.remaking.revisions import ordinal
from descheduler.model.workloads import Ordinals, Workload

_REVISION = "deployment.kubernetes.io/revision"


def of_workload(owner: Workload, above: Workload | None) -> Blocked | None:
    """What holds for all pods of a controller; `above` is the Deployment that it belongs to, if any."""
    for one in (owner, above):
        if one is not None and one.behind:
            seen = f"generation {one.generation} is written, its controller acted on {one.observed_generation}"
            return Blocked(Reason.ROLLING_OUT, name(one), seen)
    if above is not None and above.rolling:
        newest, own = above.annotations.get(_REVISION), owner.annotations.get(_REVISION)
        if newest and own and own != newest:
            return Blocked(Reason.ROLLING_OUT, name(above), f"{name(owner)} is revision {own}, {newest} replaces it")
    template = owner.template
    if template is not None and template.problem:
        return Blocked(Reason.DATA_PARTIAL, name(owner), template.problem)
    if template is not None and template.gated:
        return Blocked(Reason.WOULD_WAIT, name(owner), "its template has scheduling gates, which somebody must lift")
    return None


def of_node(owner: Workload, node: str, pod: Pod) -> Blocked:
    """A template may name a node, and then no scheduler is asked."""
    reason = Reason.RETURNS_TO_NODE if node == pod.node else Reason.NODE_NAMED
    return Blocked(reason, name(owner), f"its template names the node {node}")


def of_ordinals(owner: Workload, ordinals: Ordinals, pods: Mapping[int, Pod]) -> dict[int, Blocked]:
    """By position of those `pods`, all of one StatefulSet, that are beyond its replicas, or whose replacement waits
    (OrderedReady) for a lower one (kubernetes pkg/controller/statefulset/stateful_set_control.go, `processReplica`)."""
    numbered = {at: number for at, pod in pods.items() if (number := ordinal(pod)) is not None}
    within = range(ordinals.start, ordinals.start + owner.replicas)
    first = _first_not_ready([(number, pods[at]) for at, number in numbered.items()], within)
    last = within.stop if first is None or not ordinals.ordered else first
    out: dict[int, Blocked] = {}
    for at, number in numbered.items():
        if number not in within:
            text = f"ordinal {number} is none of its {owner.replicas} from {ordinals.start}"
            out[at] = Blocked(Reason.WOULD_BE_LOST, name(owner), text)
        elif number > last:
            out[at] = Blocked(Reason.WOULD_WAIT, name(owner), f"{owner.name}-{last} is not ready, and comes before it")
    return out


def _first_not_ready(pods: Sequence[tuple[int, Pod]], within: range) -> int | None:
    well = {number for number, pod in pods if not pod.unready and pod.phase is Phase.RUNNING and pod.deleting is None}
    return next((number for number in within if number not in well), None)


def name(workload: Workload) -> str:
    """`StatefulSet/db`, for people."""
    return f"{workload.kind}/{workload.name}"
