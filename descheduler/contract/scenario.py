"""A state to try things on: where pods would be, and how nodes would be loaded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from descheduler.contract.loads import NodeLoads
from descheduler.model.arrays import Floats32, Indices, Ints, Ints32, Mask, Positions
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Move
from descheduler.model.pods import PodSpec
from descheduler.scheduler import Clash, GpuNeed, Outlook, Spread, WhatIf

MOST_LIKELY = 24


class Scenario:
    """A copy-on-write what-if state: where pods would be, and how nodes would be loaded.

    Forks are cheap and independent. `fits` and `landing` speak of the state as it is now, with everything that was
    removed and placed before. `mode` says who decides where removed pods come up again.
    """

    def __init__(
        self, loads: Mapping[str, NodeLoads], state: WhatIf, *, mode: LandingMode = LandingMode.PREDICTED
    ) -> None:
        self._loads = loads
        self._state = state
        self.mode = mode
        self._steered: frozenset[int] = frozenset()
        self._changed: dict[str, dict[int, Floats32]] = {resource: {} for resource in loads}  # by node
        self._differs = np.zeros(state.nodes, np.bool_)  # [N] those nodes

    def fork(self) -> Scenario:
        twin = Scenario(self._loads, self._state.fork(), mode=self.mode)
        twin._steered = self._steered
        twin._changed = {resource: dict(nodes) for resource, nodes in self._changed.items()}
        twin._differs = self._differs.copy()
        return twin

    def remove(self, pod: int) -> None:
        """The pod leaves its node."""
        node = self._state.node_of(pod)
        self._state.remove(pod)
        self._add(pod, node, -1.0)

    def place(self, pod: int, node: int) -> None:
        """The pod, removed before, takes its place on a node."""
        self._state.place(pod, node)
        self._add(pod, node, 1.0)

    def renew(self, pod: int) -> None:
        """The pod restarts where it stands. Where its replacement asks for more, it takes that; what it would not need
        it keeps until it has ended."""
        if self._state.outgrown(pod):
            node = self._state.node_of(pod)
            self._add(pod, node, -1.0)
            self._state.renew(pod)
            self._add(pod, node, 1.0)

    def reserve(self, pod: int, node: int) -> None:
        """Set aside the room of a pending pod; it does not stand there, so rules between pods do not count it."""
        self._state.reserve(pod, node)

    def linger(self, pod: int, node: int) -> None:
        """The pod, removed before, terminates on the node and holds its room, whether its replacement is placed or not.

        Its load is not counted any more.
        """
        self._state.linger(pod, node)

    def end(self, pod: int, node: int) -> None:
        """The pod that lingers on the node is gone."""
        self._state.end(pod, node)

    def apply(self, moves: Iterable[Move], landed: Mapping[int, int]) -> None:
        """Take all moves as done, each pod on the node that `landed` names."""
        moves = tuple(moves)
        for move in moves:
            self.remove(move.pod)
        for move in moves:
            self.place(move.pod, landed[move.pod])

    def steer(self, nodes: Iterable[int]) -> None:
        """From now on these nodes, and no others, carry the taint of an action under way; landings then foresee it.

        Name all that one action steers away from, its sources and what it avoids. Nothing happens in other
        modes than STEERED.
        """
        self._steered = frozenset(nodes) if self.mode is LandingMode.STEERED else frozenset()

    def cordon(self, nodes: Collection[int]) -> None:
        """From now on these nodes, and no others beside those of the snapshot, are cordoned: they take nobody."""
        self._state.cordon(nodes)

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for each kind of pod that was asked about and cannot be judged; such pods fit nowhere."""
        return self._state.problems

    def set_aside(self, pod: int, why: str) -> None:
        """From now on the pod and those like it fit nowhere, in every state of the plan, and `problems` says why."""
        self._state.set_aside(pod, why)

    def node_of(self, pod: int) -> int:
        """Position of the pod's node, -1 when it has none."""
        return self._state.node_of(pod)

    @property
    def moved(self) -> Mapping[int, int]:
        """Pods whose place differs from the snapshot's, and where they are now (-1: nowhere)."""
        return self._state.moved

    def fits(self, pod: int, nodes: Positions | None = None) -> Mask:
        """[N] or [K]: may the scheduler put the pod there now, to stay?"""
        return self._state.fits(pod, nodes)

    def stays(self, pod: int, nodes: Positions) -> Mask:
        """[K] whether the pod, put on these nodes, would stay there; False on those about to go."""
        return self._state.stays(pod, nodes)

    def possible(self, pod: int) -> Mask:
        """[N] nodes that could ever take the pod: what labels, taints, device models and its volumes allow."""
        return self._state.possible(pod)

    def affine(self, spec: PodSpec) -> Mask:
        """[N] nodes that the spec's node selector and required node affinity both select."""
        return self._state.affine(spec)

    def schedulable(self, spec: PodSpec) -> Mask:
        """[N] nodes whose state, taints and labels let a pod with the spec be scheduled there, to stay."""
        return self._state.schedulable(spec)

    def preferences(self, spec: PodSpec) -> Ints:
        """[N] summed weights of the spec's preferred node affinity terms that select the node."""
        return self._state.preferences(spec)

    def soft_taints(self, spec: PodSpec) -> Ints:
        """[N] how many PreferNoSchedule taints of a node the spec does not tolerate."""
        return self._state.soft_taints(spec)

    def clashes(self) -> tuple[Clash, ...]:
        """Pods that stand together though required anti-affinity forbids it; those that were moved here are not."""
        return self._state.clashes()

    def uneven(self, kinds: Collection[str], seen: Mask) -> tuple[tuple[Spread, ...], ...]:
        """Topology spread constraints of these kinds (`whenUnsatisfiable`), together as one pod carries them, where one
        of them does not hold now; `seen` [N] are the nodes whose domains are looked at."""
        return self._state.uneven(kinds, seen)

    def free(self, nodes: Positions | Indices | None = None, *, promised: bool = False) -> Ints:
        """[N, R] or [K, R]: allocatable minus requested, by the columns of `snapshot.columns.resources`.

        Room that the scheduler keeps for nominated pods is free only with what is `promised`.
        """
        return self._state.free(nodes, promised=promised)

    def whole_gpus(self, *, promised: bool = False) -> Ints:
        """[N] GPU devices of which nobody holds any part."""
        return self._state.whole_gpus(promised=promised)

    def gpu_milli(self, *, promised: bool = False) -> Ints32:
        """[N, D] thousandths free of each GPU device, -1 where a node has no such device."""
        return self._state.gpu_milli(promised=promised)

    def gpus_held(self, pod: int) -> tuple[int, ...]:
        """Indices of the usable devices that the pod holds, as far as it is known which."""
        return self._state.gpus_held(pod)

    def gpu_need(self, pod: int) -> GpuNeed | None:
        """What the pod takes of the GPUs of its node: `count` devices, `milli` of each; None when it asks for none."""
        return self._state.gpu_need(pod)

    def gpu_needs(self) -> tuple[GpuNeed | None, ...]:
        """[S] the same for each distinct spec of a pod, `snapshot.columns.specs`."""
        return self._state.gpu_needs()

    def explain(self, pod: int) -> str:
        """Why the pod fits nowhere, in the scheduler's own words: "0/5 nodes are available: 3 Insufficient cpu, …"."""
        return self._state.explain_text(pod)

    def outlook(self, pod: int) -> Outlook:
        """The nodes on which the pod fits now, and how the scheduler likes them; until something moves."""
        return self._state.outlook(pod)

    def expected(
        self, outlook: Outlook, source: int = -1, towards: Sequence[int] = ()
    ) -> tuple[tuple[int, float], ...]:
        """Where the scheduler would put the removed pod now: (node, share of probability), likeliest first.

        `source` is the node that it leaves, if known: in mode STEERED that one is steered away from in any case.
        `towards` are nodes that it is directed to: it prefers them to all others.
        Nodes are left out when those before them already hold 95 % of the probability, or are MOST_LIKELY many; what
        was left out counts as lost, unless so many nodes are alike that the first stand for all.
        """
        steering = self.mode is LandingMode.STEERED
        steered = self._steered | {source} if steering and source >= 0 else self._steered
        return _most(outlook.likely(steered, towards))

    def landing(self, pod: int, source: int = -1) -> tuple[tuple[int, float], ...]:
        """Where the pod is `expected`."""
        return self.expected(self.outlook(pod), source)

    def vectors(self, resource: str, nodes: Positions, width: int | None = None) -> Floats32:
        """[K, D] forecast vectors of nodes in this state; their first `width` columns, if it is given."""
        out: Floats32 = self._loads[resource].of_nodes()[:, :width][nodes]
        changed = self._changed[resource]
        for at in np.flatnonzero(self._differs[nodes]).tolist():
            out[at] = changed[int(nodes[at])][:width]
        return out

    def changed(self, resource: str) -> Positions:
        """[K] positions of the nodes whose load differs from the snapshot's, ascending."""
        return np.array(sorted(self._changed[resource]), np.int32)

    def hottest(self, resource: str, nodes: Positions, q: float, horizon: float, plus: int | None = None) -> Floats32:
        """[K] hottest forecast point within `horizon` seconds, with the pod `plus` added to each node if given.

        A node whose load is not known has no room for one more, however little its pods seem to use, and neither has
        one on which tasks wait for it.
        """
        loads = self._loads[resource]
        width = loads.width(horizon)
        vectors = self.vectors(resource, nodes, width)
        if plus is None:
            return loads.hottest(vectors, nodes, q, horizon)
        vectors += loads.of_pods(np.array([plus], np.int32), remade=True, width=width)
        level = loads.hottest(vectors, nodes, q, horizon)
        level[loads.closed[nodes]] = np.inf
        return level

    def _add(self, pod: int, node: int, sign: float) -> None:
        if node < 0:
            return
        remade = not self._state.at_home(pod, node)
        self._differs[node] = True
        for resource, loads in self._loads.items():
            changed = self._changed[resource]
            before = changed.get(node)
            if before is None:
                before = loads.of_nodes(np.array([node], np.int32))[0]
            changed[node] = before + np.float32(sign) * loads.of_pods(np.array([pod], np.int32), remade=remade)[0]


def _most(likely: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    """The first that hold 95 % of the probability; where that takes too many, the last of MOST_LIKELY stand for all
    that are left out, for those are many and alike."""
    total, kept = 0.0, 0
    for _, share in likely[:MOST_LIKELY]:
        total, kept = total + share, kept + 1
        if total >= 0.95:
            return likely[:kept]
    if kept < MOST_LIKELY:
        return likely[:kept]
    least = likely[kept - 1][1]
    first = next(at for at, (_, share) in enumerate(likely) if share <= least * (1.0 + 1e-9))
    ahead = sum(share for _, share in likely[:first])
    each = (1.0 - ahead) / (kept - first)
    return (*likely[:first], *((node, each) for node, _ in likely[first:kept]))
