"""What becomes of the cluster: pods are evicted, controllers make them again, the scheduler finds them nodes.

Landings are drawn from the same model of the default scheduler that plans are proved with, which is held against the
real one (benchmarks/scheduler_agreement.py, landing.py). A pod keeps its slot, and what it uses, over all its lives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from descheduler.gangs import resolve
from descheduler.model.arrays import Floats, Positions
from descheduler.model.directing import direction_of
from descheduler.model.pod_status import NO_STATUS
from descheduler.model.pods import Phase, Pod
from descheduler.model.remaking import Replacement
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.succession import made_while_ending
from descheduler.scheduler import Scoring, WhatIf, prepare

STARTS = 60.0
"""Seconds from an eviction until the replacement is ready and takes its share of the load, unless told otherwise."""
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Departure:
    """One pod that leaves, by its slot. `towards` are nodes that its replacement prefers, `held` the one where room is
    kept for it (NOBODY: none is)."""

    slot: int
    towards: tuple[int, ...] = ()
    held: int = NOBODY


@dataclass(frozen=True, slots=True)
class Move:
    """What became of a pod that was `evicted`, or restarted with one that was: its replacement, and the nodes of both.

    `target` is NOBODY while there is no room for it.
    """

    slot: int
    at: float
    source: int
    target: int
    old: Pod
    new: Pod
    evicted: bool = True


class Cluster:
    """A cluster that lives on. Slots are positions in the snapshot that it begins with, nodes are that one's, too.

    `starts` is how long a replacement takes to be ready (seconds), `scoring` how schedulers score, by their names.
    """

    def __init__(
        self,
        snapshot: ClusterSnapshot,
        rng: np.random.Generator,
        *,
        starts: float = STARTS,
        scoring: Mapping[str, Scoring] | None = None,
    ) -> None:
        self.starts = starts
        self.moves: list[Move] = []
        self._rng = rng
        self._scoring = dict(scoring or {})
        self._pods = list(snapshot.pods)
        self._ready_at = np.zeros(len(self._pods))
        self._seen = snapshot
        self._asked: float | None = None  # at which time the newest snapshot was asked for
        self._changed = False
        self._made = 0
        self._waiting = {slot for slot, pod in enumerate(self._pods) if not pod.node and not pod.terminal}
        self._index()

    # -- what can be seen ----------------------------------------------------------------------------------------------

    @property
    def nodes(self) -> Positions:
        """[P] the node of each slot, NOBODY where it has none."""
        return self._node

    @property
    def position(self) -> Positions:
        """[P] the position of each slot's pod in the newest snapshot."""
        return self._position

    @property
    def slot(self) -> Positions:
        """[P] the slot of each pod of the newest snapshot."""
        return self._slot

    def snapshot(self, now: float) -> ClusterSnapshot:
        """The cluster as the API server shows it."""
        ready = self._ready_at <= now
        for slot in np.flatnonzero(ready & (self._ready_at > 0)).tolist():
            self._pods[slot] = replace(self._pods[slot], ready=True, unready=False, started=self._ready_at[slot])
            self._ready_at[slot] = 0.0
            self._changed = True
        if self._changed:
            before = self._seen
            self._seen = replace(
                before, pods=tuple(sorted(self._pods, key=lambda p: (p.namespace, p.name))), taken_at=now
            )
            self._changed, self._asked = False, None
            self._index()
        if now != self._asked:
            self._seen, self._asked = self._seen.again(now), now
        return self._seen

    @property
    def waiting(self) -> tuple[int, float]:
        """How many moved pods have no node, and for how many GPUs pods without a node wait, moved or not."""
        gpus = sum(pod.spec.gpu.devices for slot in self._waiting if (pod := self._pods[slot]).spec.gpu is not None)
        return sum("~" in self._pods[slot].uid for slot in self._waiting), gpus

    def name(self, node: int) -> str:
        """The name of a node, empty for NOBODY."""
        return self._seen.nodes[node].name if node >= 0 else ""

    def running(self, now: float, step: float) -> Floats:
        """[P] the share of the `step` seconds up to `now` in which each slot's pod was ready."""
        share = np.ones(len(self._pods))
        starting = self._ready_at > 0
        share[starting] = np.clip((now - self._ready_at[starting]) / step, 0.0, 1.0)
        share[self._node < 0] = 0.0
        return share

    # -- what can be done ----------------------------------------------------------------------------------------------

    def move(
        self, leaving: Sequence[Departure], now: float, steered: Iterable[int] = (), cordoned: Collection[int] = ()
    ) -> tuple[Move, ...]:
        """Evict all of them at one moment; what restarts with them goes, too. Where each replacement came up.

        `steered` nodes carry a taint meanwhile that makes the scheduler prefer all others; `cordoned` ones take nobody.
        """
        snapshot = self.snapshot(now)
        units = resolve(snapshot)
        asked = {one.slot: one for one in leaving}
        restarting = (
            int(self._slot[pod]) for one in leaving for pod in units.restarting(int(self._position[one.slot]))
        )
        going = [asked.get(slot, Departure(slot)) for slot in dict.fromkeys((*asked, *restarting))]
        going = [one for one in going if self._node[one.slot] >= 0]
        state = prepare(snapshot, scoring=self._scoring).what_if()
        state.cordon(cordoned)
        landing = _Landing(self._rng, state, frozenset(steered), _directions(snapshot, going, self._position))
        pods = {one.slot: int(self._position[one.slot]) for one in going}
        sources = {one.slot: int(self._node[one.slot]) for one in going}
        whole = {one.slot for one in going if len(units.moving(pods[one.slot])) > 1}
        early = [
            one
            for one in going
            if one.slot not in whole and made_while_ending(snapshot.pods[pods[one.slot]], snapshot.workloads)
        ]
        ending = [one for one in going if snapshot.pods[pods[one.slot]].spec.grace_seconds > 0]
        for one in going:
            state.remove(pods[one.slot])
        for one in ending:
            state.linger(pods[one.slot], sources[one.slot])
        targets = {one.slot: landing.of(pods[one.slot], one.held) for one in early}
        for one in ending:
            state.end(pods[one.slot], sources[one.slot])
        targets.update((one.slot, landing.of(pods[one.slot], one.held)) for one in going if one.slot not in targets)
        done = tuple(
            self._replace(snapshot, state, slot, pods[slot], target, now, evicted=slot in asked)
            for slot, target in targets.items()
        )
        self.moves.extend(done)
        self._changed |= bool(done)
        return done

    def remake(self, slots: Sequence[int], now: float) -> tuple[Move, ...]:
        """Others replace these pods, as rollouts and autoscalers do: the same, but nobody's eviction."""
        before = len(self.moves)
        done = self.move([Departure(slot) for slot in slots], now)
        del self.moves[before:]
        return done

    def clear(self, slot: int) -> None:
        """A pod that was over is gone, and nobody makes another."""
        self._pods[slot] = replace(self._pods[slot], node="")
        self._node[slot] = NOBODY
        self._changed = True

    def settle(self, now: float) -> None:
        """The scheduler looks again at pods that wait for a node: gangs all together, whoever is the most important
        first."""
        if not self._waiting:
            return
        snapshot = self.snapshot(now)
        state = prepare(snapshot, scoring=self._scoring).what_if()
        units, landing = resolve(snapshot), _Landing(self._rng, state, frozenset(), {})
        order = sorted(self._waiting, key=lambda s: (-self._pods[s].priority, self._pods[s].created, s))
        tried: set[tuple[int, str]] = set()
        for slot in order:
            pod = int(self._position[slot])
            alike = (id(snapshot.pods[pod].spec), snapshot.pods[pod].controller_uid)
            together = [m for m in units.moving(pod) if int(self._slot[m]) in self._waiting]
            if slot not in self._waiting or snapshot.pods[pod].gated or alike in tried:
                continue
            targets = landing.all_of(together)
            if targets is None:
                tried.add(alike)
                continue
            for member, target in targets.items():
                self._bind(state, int(self._slot[member]), member, target, now)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _index(self) -> None:
        at = {(pod.namespace, pod.name): i for i, pod in enumerate(self._seen.pods)}
        position = [at[pod.namespace, pod.name] for pod in self._pods]
        self._position = np.array(position, np.int32)
        self._slot = np.empty(len(position), np.int32)
        self._slot[self._position] = np.arange(len(position), dtype=np.int32)
        nodes = self._seen.node_index
        self._node = np.array([nodes.get(pod.node, NOBODY) for pod in self._pods], np.int32)

    def _replace(
        self, snapshot: ClusterSnapshot, state: WhatIf, slot: int, pod: int, target: int, now: float, *, evicted: bool
    ) -> Move:
        old, source = self._pods[slot], int(self._node[slot])
        self._made += 1
        new = _remade(old, snapshot.remade.different.get(pod), self._made, now)
        self._pods[slot], self._node[slot] = new, NOBODY
        self._waiting.add(slot)
        if target >= 0:
            self._bind(state, slot, pod, target, now)
        return Move(slot, now, source, target, old, self._pods[slot], evicted)

    def _bind(self, state: WhatIf, slot: int, pod: int, target: int, now: float) -> None:
        devices = state.gpus_held(pod)
        self._pods[slot] = replace(
            self._pods[slot],
            node=self._seen.nodes[target].name,
            phase=Phase.RUNNING,
            gpu_indices=tuple(devices),
        )
        self._node[slot] = target
        self._ready_at[slot] = now + self.starts
        self._waiting.discard(slot)
        self._changed = True


class _Landing:
    """Where the scheduler puts pods of one state, one after the other; what it decides is done in the state."""

    def __init__(
        self,
        rng: np.random.Generator,
        state: WhatIf,
        steered: frozenset[int],
        directed: Mapping[str, tuple[int, ...]],
    ) -> None:
        self._rng, self._state, self._steered, self._directed = rng, state, steered, directed

    def of(self, pod: int, held: int = NOBODY) -> int:
        """The node of a pod that has none, NOBODY when there is no room for it."""
        if held >= 0:
            target = held
        else:
            key = direction_of(self._state.placement.snapshot.pods[pod])
            likely = self._state.likely(pod, self._steered, self._directed.get(key, ()))
            if not likely:
                return NOBODY
            target = likely[_drawn(self._rng, [share for _, share in likely])][0]
        self._state.place(pod, target)
        return target

    def all_of(self, pods: Sequence[int]) -> dict[int, int] | None:
        """Nodes of all of them, or None when one finds none; then none has taken any room."""
        found: dict[int, int] = {}
        for pod in pods:
            target = self.of(pod)
            if target < 0:
                for placed in found:
                    self._state.remove(placed)
                return None
            found[pod] = target
        return found


def _drawn(rng: np.random.Generator, shares: Sequence[float]) -> int:
    if len(shares) == 1:
        return 0
    edges = np.cumsum(shares)
    return min(int(np.searchsorted(edges, rng.random() * edges[-1], side="right")), len(shares) - 1)


def _directions(
    snapshot: ClusterSnapshot, going: Sequence[Departure], position: Positions
) -> dict[str, tuple[int, ...]]:
    """By key: of one controller, all that it makes meanwhile prefers the nodes of all, but for pods with names."""
    out: dict[str, tuple[int, ...]] = {}
    for one in going:
        if one.towards:
            key = direction_of(snapshot.pods[int(position[one.slot])])
            out[key] = tuple(dict.fromkeys((*out.get(key, ()), *one.towards)))
    return out


def _remade(old: Pod, different: Replacement | None, number: int, now: float) -> Pod:
    """What the controller makes: by name in the place of a StatefulSet's, with a name of its own elsewhere."""
    owner = old.controller
    stays = owner is None or owner.kind == "StatefulSet"
    return replace(
        old,
        name=old.name if stays else f"{owner.name if owner else old.name}-r{number:05d}",
        uid=f"{old.uid.partition('~')[0]}~{number}",
        spec=different.spec if different is not None else old.spec,
        labels=different.labels if different is not None else old.labels,
        node="",
        phase=Phase.PENDING,
        status=NO_STATUS,
        transitions=(),
        ready=False,
        unready=True,
        created=now,
        started=0.0,
        deleting=None,
        gpu_indices=(),
        gpu_shares=(),
        gpu_statements=(),
        nominated="",
        generation=min(1, old.generation),
    )
