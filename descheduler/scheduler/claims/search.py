"""The scheduler's search for devices of one node (k8s.io/dynamic-resource-allocation/structured/internal/incubating,
`allocateOne`): one claim after the other, one request after the other, one device after the other, and the first
solution is taken.

Devices are tried in their order, so that of the sets of one request each is tried once. Unlike the scheduler's this
search passes over a request for which too few devices are left; what comes out is the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from descheduler.model.dra import MOST_DEVICES, Amounts, ClaimedDevice, DeviceRequest, DeviceTaint, DeviceToleration
from descheduler.scheduler.claims.capacity import enough, taken
from descheduler.scheduler.claims.constraints import Tracked
from descheduler.scheduler.claims.demands import Demand, Option
from descheduler.scheduler.claims.failures import SelectorFailed
from descheduler.scheduler.claims.pools import Candidate, DeviceKey, NodePool, PoolKey, Pools
from descheduler.scheduler.claims.uses import Uses

MOST_STEPS = 20_000
"""Of one search."""
_KEEPS_OFF = ("NoSchedule", "NoExecute")


class CannotJudge(Exception):
    """The search fails for the pod as a whole, or would take too long: no node is good for it."""


class _TooMany(Exception):
    """More devices than one claim may have, whatever is chosen from here on."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A device of one claim; `option` is the position of the alternative that it was given for, if any are `listed`."""

    device: ClaimedDevice
    candidate: Candidate
    request: str
    option: int
    listed: bool


@dataclass(frozen=True, slots=True)
class _At:
    """What is looked for next."""

    claim: int
    ask: int = 0
    option: int = 0
    device: int = 0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One option on this node: how many devices; for all devices, which."""

    option: Option
    name: str  # of the request, or of the subrequest after that of its request
    parent: str
    count: int
    all: tuple[tuple[NodePool, Candidate], ...] | None


@dataclass(frozen=True, slots=True)
class _Shared:
    """What was taken of a device that may be shared; whether nobody else of this search had any of it."""

    consumed: Amounts
    first: bool


class Search:
    """One search, on one node in one state. Used once."""

    def __init__(self, demands: Sequence[Demand], node: int, pools: Pools, uses: Uses, most: int = MOST_STEPS) -> None:
        self._demands, self._node, self._pools, self._uses = demands, node, pools, uses
        self._seen = pools.of_node(node)
        self._every = [(pool, one) for pool in self._seen if pool.usable for one in pool.devices]
        self.steps, self._most = 0, most
        self._chosen: dict[DeviceKey, set[int]] = defaultdict(set)  # by which claims, of those that nobody shares
        self._sharing: dict[DeviceKey, dict[str, Decimal]] = {}
        self._consumed: dict[PoolKey, dict[tuple[str, str], Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self._left: dict[PoolKey, dict[tuple[str, str], Decimal]] = {}
        self._found: list[list[Granted]] = [[] for _ in demands]
        self._constraints = [[Tracked(one) for one in demand.spec.constraints] for demand in demands]
        self._data: list[list[list[_Wanted]]] = []

    def run(self) -> tuple[tuple[Granted, ...], ...] | None:
        """What each claim is given; None when there is not enough. Raises CannotJudge."""
        try:
            self._prepare()
            if not self._next(_At(0), 0, chosen=False):
                return None
        except _TooMany as failed:
            raise CannotJudge(f"whatever is chosen, a claim gets more than {MOST_DEVICES} devices") from failed
        except SelectorFailed as failed:
            raise CannotJudge(str(failed)) from failed
        return tuple(map(tuple, self._found))

    # -- what is looked for -----------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        for demand in self._demands:
            asks = [
                [self._wanted(ask.name, ask.listed, option) for option in options]
                for ask, options in zip(demand.spec.asks, demand.options, strict=True)
            ]
            if sum(min(one.count for one in options) for options in asks) > MOST_DEVICES:
                raise CannotJudge(f"a claim asks for more than {MOST_DEVICES} devices")
            self._data.append(asks)

    def _wanted(self, ask: str, listed: bool, option: Option) -> _Wanted:
        parent = ask if listed else ""
        request = option.request
        if request.count is not None:
            return _Wanted(option, request.name, parent, request.count, None)
        every = []
        for pool in self._seen:
            if not pool.usable:
                state = "being updated" if not pool.complete else "invalid"
                raise CannotJudge(f"request {ask} asks for all devices, but pool {'/'.join(pool.key)} is {state}")
            every += [
                (pool, one) for one in pool.devices if self._selectable(option, one) and self._enough(request, one)
            ]
        return _Wanted(option, request.name, parent, len(every), tuple(every))

    # -- the search -------------------------------------------------------------------------------------------------

    def _next(self, at: _At, start: int, *, chosen: bool) -> bool:
        self.steps += 1
        if self.steps > self._most:
            raise CannotJudge("there are too many ways to choose its devices")
        if at.claim >= len(self._data):
            return True
        if at.ask >= len(self._data[at.claim]):
            try:
                return self._next(_At(at.claim + 1), 0, chosen=False)
            except _TooMany:
                return False
        options = self._data[at.claim][at.ask]
        one = options[at.option]
        if one.parent and not chosen:
            return self._alternatives(at, len(options))
        if one.count == 0 and one.all is not None:
            return False
        if at.device >= one.count:
            return self._next(_At(at.claim, at.ask + 1), 0, chosen=False)
        if len(self._found[at.claim]) + one.count - at.device > MOST_DEVICES:
            raise _TooMany
        if one.all is not None:
            return self._try(at, one, one.all[at.device], 0, chosen=chosen, must=True) is True
        return self._one_of_many(at, one, start, chosen=chosen)

    def _alternatives(self, at: _At, options: int) -> bool:
        exceeded = True
        for option in range(options):
            try:
                if self._next(replace(at, option=option), 0, chosen=True):
                    return True
                exceeded = False
            except _TooMany:
                continue
        if exceeded:
            raise _TooMany
        return False

    def _one_of_many(self, at: _At, one: _Wanted, start: int, *, chosen: bool) -> bool:
        request = one.option.request
        if at.device == 0 and self._too_few(one):
            return False
        for place in range(start, len(self._every)):
            candidate = self._every[place][1]
            if self._in_use(request, candidate, at.claim) or not self._selectable(one.option, candidate):
                continue
            if self._enough(request, candidate) and self._try(at, one, self._every[place], place + 1, chosen=chosen):
                return True
        return False

    def _too_few(self, one: _Wanted) -> bool:
        request, left = one.option.request, one.count
        if request.admin:
            return False
        for _, candidate in self._every:
            if not self._taken(candidate.key) and self._selectable(one.option, candidate):
                left -= 1
                if left == 0:
                    return False
        return True

    def _try(
        self, at: _At, one: _Wanted, found: tuple[NodePool, Candidate], start: int, *, chosen: bool, must: bool = False
    ) -> bool:
        """Take the device and look for the rest; where that is not found, it is as before."""
        undo: list[tuple[str, object]] = []
        done = False
        try:
            if self._take(at, one, *found, undo, must=must):
                done = self._next(replace(at, device=at.device + 1), start, chosen=chosen)
            return done
        finally:
            if not done:
                self._undo(at, one, found[1], undo)

    def _take(
        self, at: _At, one: _Wanted, pool: NodePool, device: Candidate, undo: list[tuple[str, object]], *, must: bool
    ) -> bool:
        request, facts = one.option.request, device.facts
        if self._in_use(request, device, at.claim):
            return False
        if facts.counters and not (facts.shareable and self._capacity_in_use(device)):
            self._count(pool, device, 1)
            undo.append(("counters", pool))
            if not self._within(pool):
                return False
        if any(taint.effect in _KEEPS_OFF and not _tolerated(taint, request.tolerations) for taint in facts.taints):
            return False
        base, option = (one.parent, one.name) if one.parent else (one.name, "")
        for tracked in self._constraints[at.claim]:
            if not tracked.add(base, option, device):
                if must:
                    raise CannotJudge(f"request {base} asks for all devices, which a constraint does not let it have")
                return False
            undo.append(("constraint", tracked))
        if not facts.shareable:
            self._chosen[device.key].add(at.claim)
            undo.append(("chosen", None))
        if not self._enough(request, device):
            return False
        consumed: Amounts = ()
        if facts.shareable:
            consumed = taken(request.capacity, facts.capacity)
            undo.append(("sharing", _Shared(consumed, first=device.key not in self._sharing)))
            self._share(device.key, consumed, 1)
        given = ClaimedDevice(*device.key, shared=facts.shareable, consumed=consumed, admin=request.admin)
        self._found[at.claim].append(Granted(given, device, base, at.option, one.parent != ""))
        undo.append(("found", None))
        return True

    def _undo(self, at: _At, one: _Wanted, device: Candidate, undo: list[tuple[str, object]]) -> None:
        base, option = (one.parent, one.name) if one.parent else (one.name, "")
        for what, of in reversed(undo):
            if what == "found":
                self._found[at.claim].pop()
            elif isinstance(of, _Shared):
                self._share(device.key, of.consumed, -1)
                if of.first:
                    del self._sharing[device.key]
            elif what == "chosen":
                self._chosen[device.key].discard(at.claim)
            elif isinstance(of, Tracked):
                of.remove(base, option)
            elif isinstance(of, NodePool):
                self._count(of, device, -1)

    # -- devices ----------------------------------------------------------------------------------------------------

    def _selectable(self, option: Option, device: Candidate) -> bool:
        return option.matches(device) and self._pools.reaches(device, self._node)

    def _taken(self, key: DeviceKey) -> bool:
        return self._uses[key].whole > 0 or bool(self._chosen.get(key))

    def _in_use(self, request: DeviceRequest, device: Candidate, claim: int) -> bool:
        if request.admin:
            return not device.facts.shareable and claim in self._chosen.get(device.key, ())
        return self._taken(device.key)

    def _enough(self, request: DeviceRequest, device: Candidate) -> bool:
        if not (request.capacity or device.facts.capacity):
            return True
        use = self._uses[device.key]
        return enough(
            request.capacity, device.facts.capacity, dict(use.consumed), self._sharing.get(device.key, _NOTHING)
        )

    def _capacity_in_use(self, device: Candidate) -> bool:
        return bool(self._uses[device.key].consumed) or device.key in self._sharing

    def _share(self, key: DeviceKey, consumed: Amounts, sign: int) -> None:
        amounts = self._sharing.setdefault(key, defaultdict(Decimal))
        for name, value in consumed:
            amounts[name] += sign * value

    # -- counters of pools ------------------------------------------------------------------------------------------

    def _count(self, pool: NodePool, device: Candidate, sign: int) -> None:
        consumed = self._consumed[pool.key]
        for name, value in _counted(device):
            consumed[name] += sign * value

    def _within(self, pool: NodePool) -> bool:
        """Whether no counter of the pool is exceeded, be it one that the device does not consume."""
        left = self._left.get(pool.key)
        if left is None:
            left = {(s, c): value for s, found in (pool.counters or {}).items() for c, value in found.items()}
            for device in (*pool.devices, *pool.hidden):
                if self._uses[device.key].any:
                    for name, value in _counted(device):
                        left[name] -= value
            self._left[pool.key] = left
        consumed = self._consumed[pool.key]
        return all(value >= consumed.get(name, Decimal(0)) for name, value in left.items())


_NOTHING: Mapping[str, Decimal] = {}


def _counted(device: Candidate) -> Iterator[tuple[tuple[str, str], Decimal]]:
    for name, amounts in device.facts.counters:
        for counter, value in amounts:
            yield (name, counter), value


def _tolerated(taint: DeviceTaint, tolerations: Sequence[DeviceToleration]) -> bool:
    """k8s.io/dynamic-resource-allocation/resourceclaim/devicetoleration.go."""
    return any(
        one.effect in ("", taint.effect)
        and one.key in ("", taint.key)
        and (one.operator == "Exists" or (one.operator in ("", "Equal") and one.value == taint.value))
        for one in tolerations
    )
