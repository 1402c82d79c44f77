"""Whether an elastic quota would let the replacement of a pod in again.

A replacement is a new pod to the quota: its use is counted without the pod that left and with the request of the new
one, which is what it counts now. So whoever is in a quota that is over its limit (because the limit was lowered, or
shrank with what others ask for) stays, and so does who would lose the place to a pod that waits for the same quota.

Sources: kubernetes-sigs/scheduler-plugins pkg/capacityscheduling (`PreFilter`, `elasticquota.go`) and koordinator
pkg/scheduler/plugins/elasticquota (`PreFilter`). Use is summed from the pods, for a status may lag.
Requests are the scheduler's; scheduler-plugins counts sidecars as other init containers, hence a little less. Pods of
all schedulers are held to the quota, since nothing says which of them have the plugin. Parent quotas of Koordinator are
not asked (`enableCheckParentQuota` is off by default). ResourceQuotas are in `resource_quota`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints, Mask, added_up
from descheduler.model.fence import Unreadable, fenced, shortened
from descheduler.model.format import quantity
from descheduler.model.objects import CustomObject, Json
from descheduler.model.pods import Phase
from descheduler.model.quantity import amount
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.units import DisruptionMode
from descheduler.planning.filters.context import Filter, FilterContext
from descheduler.planning.filters.quota_names import counted_in

PLUGINS, KOORDINATOR = "scheduling.x-k8s.io/ElasticQuota", "scheduling.sigs.k8s.io/ElasticQuota"
_PREFIX = "quota.scheduling.koordinator.sh"
PREEMPTIBLE, RUNTIME, NAMESPACES = (f"{_PREFIX}/{name}" for name in ("preemptible", "runtime", "namespaces"))

# Resources that scheduler-plugins has as fields: they are 0 where a `min` or `max` leaves them out, and compared
# even for pods that ask for none of them.
_FIELDS = ("cpu", "memory", "ephemeral-storage")
_NO_LIMIT = 2**62
_LARGEST = 2**53  # sums of it do not overflow

Waiting = list[tuple[tuple[int, int, int], int]]
"""((quota, spec, priority), pod) of pending pods."""


@dataclass(frozen=True, eq=False, slots=True)
class _Quotas:
    """Q quotas of one kind over R resources, S distinct specs and P pods.

    `of_pod` [P] is the quota of each pod, -1 for none; `counts` [P] whether its use is counted there. `always` [R]
    marks resources that are compared for every pod, the others only for pods that ask for them. `guest` [P] are in the
    quota of another namespace by their own word alone: they take no place before those whose quota it is.
    """

    names: Sequence[str]
    of_pod: NDArray[np.int32]
    counts: Mask
    limit: Ints  # [Q, R]
    used: Ints  # [Q, R]
    requests: Ints  # [S, R]
    always: Mask
    word: str  # what people call the limit
    guest: Mask

    def compared(self, specs: NDArray[np.int32]) -> Mask:
        """[K, R] which resources matter to pods of these specs."""
        found: Mask = self.always | (self.requests[specs] > 0)
        return found


def _quotas(
    context: FilterContext,
    found: Sequence[CustomObject],
    of_pod: NDArray[np.int32],
    counts: Mask,
    limit: Ints,
    word: str,
    fields: Sequence[str] | None = None,
) -> _Quotas:
    """`fields` are the resources that are always compared; None: all."""
    columns = context.columns
    requests = columns.spec_requests.copy()
    requests[:, columns.resource("pods")] = 0  # not something that a container asks for
    counted = np.flatnonzero(counts & (of_pod >= 0))
    used = added_up(len(limit), of_pod[counted], requests[columns.pod_spec[counted]])
    always = np.array([fields is None or name in fields for name in columns.resources], np.bool_)
    names = [f"elasticquota/{q.namespace}/{q.name}" for q in found]
    return _Quotas(names, of_pod, counts, limit, used, requests, always, word, context.nobody())


def quota_filters(context: FilterContext) -> Iterator[Filter]:
    """Pods whose replacement a quota would refuse; without quotas there is no filter."""
    objects = context.snapshot.objects
    if objects.get(PLUGINS):
        yield from _of_plugins(context, objects[PLUGINS])
    if objects.get(KOORDINATOR):
        yield from _of_koordinator(context, objects[KOORDINATOR])


def _of_plugins(context: FilterContext, found: Sequence[CustomObject]) -> Iterator[Filter]:
    """One quota for each namespace; a pod in a namespace without one is outside the scheme."""
    by_namespace: dict[str, list[CustomObject]] = {}
    for quota in found:
        by_namespace.setdefault(quota.namespace, []).append(quota)
    first = [several[0] for several in by_namespace.values()]
    read = _Reader(context, first)
    for at, several in enumerate(by_namespace.values()):
        if len(several) > 1:
            read.problems[at] = f"{len(several)} ElasticQuotas in one namespace"
    limit = read.table([q.spec.get("max") for q in first], absent=dict.fromkeys(_FIELDS, 0))
    nothing = dict.fromkeys(context.columns.resources, 0)
    floor = read.table([q.spec.get("min") or {} for q in first], absent=nothing)
    rows = {namespace: at for at, namespace in enumerate(by_namespace)}
    of_pod = _by_namespace(context, lambda namespace: rows.get(namespace, -1))
    counts = context.bound & context.in_phase(Phase.PENDING, Phase.RUNNING)
    quotas = _quotas(context, first, of_pod, counts, limit, "max", _FIELDS)
    yield _unread(quotas, read.problems)
    yield from _filters(context, quotas)
    yield from _total(context, quotas, floor)


def _total(context: FilterContext, quotas: _Quotas, floor: Ints) -> Iterator[Filter]:
    """Nothing gets in while all quotas together use more than the sum of their `min`."""
    used, guaranteed = quotas.used.sum(axis=0), floor.sum(axis=0)
    over = np.flatnonzero(used > guaranteed)
    if over.size:
        text = f"all quotas together: {_usage(context, int(over[0]), used, guaranteed, 'the sum of min')}"
        yield Filter(Reason.QUOTA, quotas.of_pod >= 0, lambda _: Blocked(Reason.QUOTA, "elasticquotas", text))


def _of_koordinator(context: FilterContext, found: Sequence[CustomObject]) -> Iterator[Filter]:
    """What a quota is entitled to now; pods that cannot be preempted must fit into its `min`."""
    read = _Reader(context, found)
    top = read.table([q.spec.get("max") for q in found], absent={})
    runtime = read.table([read.annotation(at, q, RUNTIME) for at, q in enumerate(found)], absent={})
    limit = np.where(top == _NO_LIMIT, _NO_LIMIT, np.minimum(top, runtime))  # what `max` leaves out is not looked at
    floor = read.table([q.spec.get("min") for q in found], absent={})
    inside = counted_in(
        context, found, lambda at: read.annotation(at, found[at], NAMESPACES), context.policy.quota_namespaces
    )
    of_pod = inside.quota
    counts = context.bound & ~context.in_phase(Phase.SUCCEEDED, Phase.FAILED)
    quotas = replace(_quotas(context, found, of_pod, counts, limit, "the entitlement"), guest=inside.guest)
    yield _unread(quotas, read.problems)
    yield from _filters(context, quotas)
    fixed = np.where(context.by_labels(lambda v: v.get(PREEMPTIBLE) == "false"), of_pod, -1).astype(np.int32)
    preempted = _quotas(context, found, fixed, counts, floor, "min, for pods that cannot be preempted")
    yield from _filters(context, replace(preempted, guest=inside.guest))


class _Reader:
    """Amounts of quotas as rows of numbers; what cannot be read is a problem of its quota, and allows nothing."""

    def __init__(self, context: FilterContext, found: Sequence[CustomObject]) -> None:
        self.column = {name: i for i, name in enumerate(context.columns.resources)}
        self.problems = {at: quota.problem for at, quota in enumerate(found) if quota.problem}

    def table(self, written: Sequence[Json], absent: Mapping[str, int]) -> Ints:
        """[Q, R]; `absent`: what resources count as that a list leaves out, no limit for the rest. None: no list."""
        out = np.full((len(written), len(self.column)), _NO_LIMIT, np.int64)
        for at, amounts in enumerate(written):
            if amounts is None:
                continue
            values = fenced(partial(_amounts, amounts), partial(self._unread, at))
            if values is None:
                out[at] = 0
                continue
            for name, value in {**absent, **values}.items():
                if name in self.column:
                    out[at, self.column[name]] = max(0, min(value, _LARGEST))
        return out

    def annotation(self, at: int, quota: CustomObject, key: str) -> Json:
        text = quota.annotations.get(key)
        if not text:
            return None
        found: Json = fenced(lambda: json.loads(text), lambda _why: self._unread(at, f"annotation {key} is not JSON"))
        return found

    def _unread(self, at: int, why: str) -> None:
        self.problems.setdefault(at, why)


def _amounts(written: Json) -> dict[str, int]:
    if not isinstance(written, Mapping):
        raise Unreadable("", f"{shortened(str(written))} is not a list of amounts")
    return {name: amount(name, str(value)) for name, value in written.items()}


def _by_namespace(context: FilterContext, of: Callable[[str], int]) -> NDArray[np.int32]:
    looks = context.looks.namespaces
    found: NDArray[np.int32] = np.array([of(name) for name in looks.values], np.int32)[looks.rows]
    return found


def _unread(quotas: _Quotas, problems: Mapping[int, str]) -> Filter:
    at = quotas.of_pod
    mask: Mask = np.isin(at, list(problems))
    return Filter(
        Reason.QUOTA,
        mask,
        lambda i: Blocked(Reason.QUOTA, quotas.names[at[i]], problems[int(at[i])]),
    )


def _filters(context: FilterContext, quotas: _Quotas) -> Iterator[Filter]:
    at = quotas.of_pod
    over = _over(context, quotas)
    worst = over.argmax(axis=1)

    def explain(pod: int) -> Blocked:
        quota = int(at[pod])
        text = _usage(context, int(worst[pod]), quotas.used[quota], quotas.limit[quota], quotas.word)
        return Blocked(Reason.QUOTA, quotas.names[quota], text)

    full: Mask = np.logical_or.reduce(over, axis=1)
    yield Filter(Reason.QUOTA, full, explain)
    waiting = _waiting(context, quotas)
    rival = _rivals(context, quotas, waiting)
    yield Filter(
        Reason.QUOTA,
        rival >= 0,
        lambda i: Blocked(
            Reason.QUOTA,
            quotas.names[at[i]],
            f"{context.name(int(rival[i]))} waits for the quota and would take the place",
        ),
        lambda pods: _rival_of_all(context, quotas, waiting, pods),
    )


def _over(context: FilterContext, quotas: _Quotas) -> Mask:
    """[P, R] where the quota of a pod is used beyond its limit already, for resources that matter to the pod."""
    out = np.zeros((len(context.pods), len(context.columns.resources)), np.bool_)
    over = quotas.used > quotas.limit
    pods = np.flatnonzero((quotas.of_pod >= 0) & quotas.counts)
    if over.any():
        out[pods] = over[quotas.of_pod[pods]] & quotas.compared(context.columns.pod_spec[pods])
    return out


def _rivals(context: FilterContext, quotas: _Quotas, waiting: Waiting) -> NDArray[np.int64]:
    """[P] a pending pod that has no room in the quota now, would have with this one gone, and comes first; else -1."""
    columns, pods = context.columns, context.pods
    out = np.full(len(pods), -1, np.int64)
    freed: dict[int, tuple[NDArray[np.intp], Ints]] = {}
    for (quota, spec, priority), rival in waiting:
        with_it, limit = quotas.used[quota] + quotas.requests[spec], quotas.limit[quota]
        matters = quotas.compared(np.array([spec], np.int32))[0]
        if quota not in freed:
            freed[quota] = _freed(context, quotas, quota)
        members, room = freed[quota]
        fits = ~(((with_it - room) > limit) & matters).any(axis=1)
        hurt = ((with_it > limit) & quotas.compared(columns.pod_spec[members])).any(axis=1)
        before = (columns.pod_priority[members] <= priority) & (quotas.guest[members] | ~quotas.guest[rival])
        hit = members[fits & hurt & before]
        out[hit] = np.where(out[hit] < 0, rival, out[hit])
    return out


def _waiting(context: FilterContext, quotas: _Quotas) -> Waiting:
    """Those that have no room in their quota now: one of all that are alike."""
    columns, pods = context.columns, context.pods
    waiting = np.flatnonzero((quotas.of_pod >= 0) & ~context.bound & context.in_phase(Phase.PENDING) & ~context.leaving)
    alike = {
        (int(quotas.of_pod[w]), int(columns.pod_spec[w]), int(columns.pod_priority[w])): w
        for w in reversed(waiting.tolist())
        if not pods[w].gated
    }
    found: Waiting = []
    for key, rival in sorted(alike.items()):
        quota, spec, _ = key
        matters = quotas.compared(np.array([spec], np.int32))[0]
        over = quotas.used[quota] + quotas.requests[spec] > quotas.limit[quota]
        if (over & matters).any():
            found.append((key, rival))
    return found


def _rival_of_all(context: FilterContext, quotas: _Quotas, waiting: Waiting, pods: Sequence[int]) -> Blocked | None:
    """Whom all the pods together, gone at once, would let into their quota before their replacements."""
    columns = context.columns
    every = np.array([p for p in pods if quotas.of_pod[p] >= 0 and quotas.counts[p]], np.int64)
    if len(every) < 2:
        return None
    for (quota, spec, priority), rival in waiting:
        mine = every[(quotas.of_pod[every] == quota) & (quotas.guest[every] | ~quotas.guest[rival])]
        room = quotas.requests[columns.pod_spec[mine]].sum(axis=0)
        with_it, limit = quotas.used[quota] + quotas.requests[spec], quotas.limit[quota]
        if ((with_it - room > limit) & quotas.compared(np.array([spec], np.int32))[0]).any():
            continue
        hurt = ((with_it > limit) & quotas.compared(columns.pod_spec[mine])).any(axis=1)
        if (hurt & (columns.pod_priority[mine] <= priority)).any():
            text = (
                f"{context.name(rival)} waits for the quota and would take the place of {len(mine)} that leave together"
            )
            return Blocked(Reason.QUOTA, quotas.names[quota], text)
    return None


def _freed(context: FilterContext, quotas: _Quotas, quota: int) -> tuple[NDArray[np.intp], Ints]:
    """Pods [M] that the quota counts, and what it gets back [M, R] when one moves: a gang may go whole."""
    inside = (quotas.of_pod == quota) & quotas.counts
    members = np.flatnonzero(inside)
    spec, gang = context.columns.pod_spec, context.units.unit_index[members]
    room = quotas.requests[spec[members]]
    for at in np.unique(gang[gang >= 0]).tolist():
        unit = context.units.gangs[at]
        if unit.mode is DisruptionMode.WHOLE:
            leaving = [p for p in unit.amplified if inside[p]]
            room[gang == at] = quotas.requests[spec[leaving]].sum(axis=0)
    return members, room


def _usage(context: FilterContext, column: int, used: Ints, limit: Ints, word: str) -> str:
    name = context.columns.resources[column]
    return f"{quantity(name, int(used[column]))} {name} used, {quantity(name, int(limit[column]))} is {word}"
