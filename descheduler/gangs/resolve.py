"""Find every gang of a snapshot, and make units of them.

Cost is kept from the pods: which dialects concern a pod is asked once for each distinct set of labels, annotations
and owners, as bits; only pods with a bit set are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from descheduler.gangs.consequences import Effects
from descheduler.gangs.dialects import DIALECTS
from descheduler.gangs.lookup import Lookup
from descheduler.gangs.merging import Gang, merge, unite
from descheduler.gangs.spec_reading import counted
from descheduler.gangs.vocabulary import Dialect, GangKey, Rank, Terms
from descheduler.model.arrays import Ints, Ints32
from descheduler.model.fence import Fence
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.units import DisruptionMode, Unit


class Units:
    """The units of a snapshot. Positions index `snapshot.pods` (P). `problems`: gangs that could not be resolved."""

    def __init__(
        self, snapshot: ClusterSnapshot, gangs: tuple[Unit, ...], effects: Effects, problems: Sequence[str] = ()
    ) -> None:
        self.gangs = gangs
        self.effects = effects
        self.problems = tuple(problems)
        self.unit_index: Ints32 = np.full(len(snapshot.pods), -1, np.int32)
        for i, unit in enumerate(gangs):
            self.unit_index[list(unit.members)] = i
        self._pods = snapshot.pods

    def of(self, pod: int) -> Unit:
        """The gang of the pod, or a unit of it alone."""
        at = int(self.unit_index[pod])
        if at >= 0:
            return self.gangs[at]
        found = self._pods[pod]
        effect = self.effects.alone(found)
        alone = (pod,)
        return Unit(found.key, alone, alone, consequence=effect.consequence, blocked=effect.blocked)

    def moving(self, pod: int) -> tuple[int, ...]:
        """The pods that are evicted when the pod is to move."""
        at = int(self.unit_index[pod])
        return self.gangs[at].moving(pod) if at >= 0 else (pod,)

    def restarting(self, pod: int) -> tuple[int, ...]:
        """The pods that restart when the pod is to move."""
        at = int(self.unit_index[pod])
        return self.gangs[at].restarting(pod) if at >= 0 else (pod,)

    def members(self, pod: int) -> tuple[int, ...]:
        """The pods of its unit, ascending."""
        at = int(self.unit_index[pod])
        return self.gangs[at].members if at >= 0 else (pod,)


def resolve(
    snapshot: ClusterSnapshot,
    when_unset: DisruptionMode = DisruptionMode.WHOLE,
    dialects: Sequence[Dialect] = DIALECTS,
) -> Units:
    """Resolve all gangs; `when_unset` is the mode of those whose object does not say.

    There is a fence around each gang: one that cannot be resolved, for whatever reason, moves nothing.
    """
    lookup = Lookup(snapshot)
    effects = Effects(lookup)
    fence = Fence()
    members = _members(snapshot, lookup, dialects)
    by_name = {dialect.name: dialect for dialect in dialects}
    known = {
        key: _gang(key, by_name[key.dialect], members[key], snapshot.pods, lookup, fence) for key in sorted(members)
    }
    units = [unite(found, known, snapshot.pods, effects, when_unset) for found in merge(known)]
    units.sort(key=lambda unit: unit.members)
    return Units(snapshot, tuple(units), effects, fence.problems)


def _gang(
    key: GangKey, dialect: Dialect, members: Sequence[int], pods: Sequence[Pod], lookup: Lookup, fence: Fence
) -> Gang:
    def terms() -> Terms:
        found = dialect.terms(key, [pods[m] for m in members], lookup)
        if found.minimum is not None:
            counted(found.minimum)  # sums and products of what is written too
        return found

    def unknown(why: str) -> Terms:
        return Terms(blocked=Blocked(Reason.GANG_AMBIGUOUS, str(key), why))

    found = fence.around(f"Gang {key}", terms, unknown)
    return Gang(key, Rank(dialect.rank), tuple(members), found, frozenset(found.linked))


def _members(snapshot: ClusterSnapshot, lookup: Lookup, dialects: Sequence[Dialect]) -> dict[GangKey, list[int]]:
    """Pods that have not finished, ascending, by every gang that they name."""
    bits = _bits(snapshot, lookup, dialects)
    out: dict[GangKey, list[int]] = {}
    asked: dict[int, list[Dialect]] = {}
    for position in np.flatnonzero(bits).tolist():
        pod = snapshot.pods[position]
        if pod.terminal:
            continue
        mask = int(bits[position])
        concerned = asked.get(mask)
        if concerned is None:
            concerned = asked[mask] = [d for i, d in enumerate(dialects) if mask >> i & 1]
        for dialect in concerned:
            for key in dialect.membership(pod, lookup):
                out.setdefault(key, []).append(position)
    return out


def _bits(snapshot: ClusterSnapshot, lookup: Lookup, dialects: Sequence[Dialect]) -> Ints:
    """[P] bit i is set when dialect i may have something to say of the pod."""
    looks = snapshot.looks
    out = _marked(looks.labels.values, [d.labels for d in dialects])[looks.labels.rows]
    out |= _marked(looks.annotations.values, [d.annotations for d in dialects])[looks.annotations.rows]
    out |= _owned(looks.first_of_owner, lookup, dialects)[looks.owners.rows]
    core = sum(1 << i for i, d in enumerate(dialects) if d.rank is Rank.CORE)
    out[np.array([bool(p.pod_group) for p in snapshot.pods], np.bool_)] |= core
    return out


def _marked(distinct_marks: Iterable[Mapping[str, str]], wanted: Sequence[frozenset[str]]) -> Ints:
    """[D] which dialects know a key of each set of labels or annotations."""
    every = frozenset().union(*wanted)
    out: list[int] = []
    for marks in distinct_marks:
        if every.isdisjoint(marks):
            out.append(0)
        else:
            out.append(sum(1 << i for i, keys in enumerate(wanted) if not keys.isdisjoint(marks)))
    return np.array(out, np.int64)


def _owned(firsts: Sequence[Pod], lookup: Lookup, dialects: Sequence[Dialect]) -> Ints:
    """[D] which dialects are concerned by the controllers above each of these pods."""
    out = np.zeros(len(firsts), np.int64)
    for row, pod in enumerate(firsts):
        chain = lookup.chain(pod.namespace, pod.owners)
        if chain:
            out[row] = sum(1 << i for i, d in enumerate(dialects) if d.owned(pod.namespace, chain, lookup))
    return out
