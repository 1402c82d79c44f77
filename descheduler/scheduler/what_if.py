"""The what-if state: the snapshot, with pods taken away and put elsewhere."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Indices, Ints, Ints32, Mask, Positions
from descheduler.model.pods import PodSpec
from descheduler.scheduler.attach_limits import Attachments
from descheduler.scheduler.claims.rules import Claiming, parts
from descheduler.scheduler.claims.table import ClaimTable
from descheduler.scheduler.claims.wanted import Wanted
from descheduler.scheduler.clashes import Clash, clashes
from descheduler.scheduler.counters import Counter, Shift
from descheduler.scheduler.gpu_table import Devices, GpuNeed, GpuTable, Held, held_by
from descheduler.scheduler.node_rules import enters_cordoned
from descheduler.scheduler.outlook import Outlook
from descheduler.scheduler.placement import Placement
from descheduler.scheduler.predicates import TEXT, Predicate
from descheduler.scheduler.question import At, Expected, Question
from descheduler.scheduler.spreads import Spread, uneven
from descheduler.scheduler.volumes import ONCE_PER_POD, ClaimKey

Nodes = NDArray[np.integer] | None
_T = TypeVar("_T", np.bool_, np.uint8)
_ALL = slice(None)
_REPORTED_TOGETHER = (Predicate.VOLUME, Predicate.VOLUME_BIND)  # VolumeBinding names both where both hold


class WhatIf:
    """Where pods would be. Forks are cheap, independent of one another, and may be forked again.

    N nodes, P pods, R resources as in the snapshot's columns. Questions about a pod that has a place are answered as if
    it had just left it: they are about what its controller makes in its place (`snapshot.remade`). On its own node a
    pod is what it is, elsewhere it is that replacement.
    """

    def __init__(
        self,
        placement: Placement,
        rows: list[Ints],
        gpus: GpuTable,
        moved: dict[int, int],
        journal: list[Shift],
        users: dict[ClaimKey, int],
        attachments: Attachments,
        waiting: frozenset[int],
        counts: dict[Counter, tuple[Ints, int]],
        claims: ClaimTable | None,
    ) -> None:
        self._placement = placement
        self._rows = rows  # per resource; an array is replaced or ours, see _owned
        self._owned: set[int] = set()
        self._gpus = gpus
        self._moved = moved
        self._journal = journal
        self._users = users
        self._attachments = attachments
        self._waiting = waiting  # pending pods for whom room is kept on the node that they are nominated to
        self._counts = counts
        self._renewed: frozenset[int] = frozenset()  # pods that restarted where they are
        self._cordoned: Mask | None = None  # [N] nodes that take nobody in this state
        self._claims = claims  # None where no pod has resource claims

    @staticmethod
    def of(placement: Placement) -> WhatIf:
        """The state of the snapshot itself."""
        attachments, waiting = Attachments(placement.attach_limits), frozenset(one.pod for one in placement.nominated)
        gpus = placement.gpu_table.fork()
        claims = None if placement.devices is None else placement.devices.table()
        return WhatIf(placement, list(placement.rows), gpus, {}, [], {}, attachments, waiting, {}, claims)

    @property
    def placement(self) -> Placement:
        return self._placement

    @property
    def nodes(self) -> int:
        """How many there are."""
        return len(self._placement.snapshot.nodes)

    def fork(self) -> WhatIf:
        """An independent copy. Arrays are shared until either side writes."""
        self._owned.clear()
        twin = WhatIf(
            self._placement,
            list(self._rows),
            self._gpus.fork(),
            dict(self._moved),
            list(self._journal),
            dict(self._users),
            self._attachments.fork(),
            self._waiting,
            dict(self._counts),
            None if self._claims is None else self._claims.fork(),
        )
        twin._cordoned, twin._renewed = self._cordoned, self._renewed
        return twin

    # -- moving -----------------------------------------------------------------------------------------------------

    def remove(self, pod: int) -> None:
        """The pod leaves its node; nothing happens when it has none."""
        node = self.node_of(pod)
        if node >= 0:
            self._shift(pod, node, -1)
            self._moved[pod] = -1

    def place(self, pod: int, node: int) -> None:
        """The pod takes its place on a node, whether it fits there or not.

        Raises:
            ValueError: it has a place, or there is no such node.
        """
        if self.node_of(pod) >= 0:
            raise ValueError(f"{self._placement.snapshot.pods[pod].key} must be removed before it is placed")
        if not 0 <= node < len(self._placement.snapshot.nodes):
            raise ValueError(f"there is no node {node}")
        self._shift(pod, node, 1)
        self._moved[pod] = node
        self._waiting -= {pod}

    @property
    def moved(self) -> Mapping[int, int]:
        """Pods whose place differs from the snapshot's, and where they are now (-1: nowhere)."""
        return self._moved

    def node_of(self, pod: int) -> int:
        """Position of the pod's node, -1 when it has none."""
        moved = self._moved.get(pod)
        return int(self._placement.node_of[pod]) if moved is None else moved

    def at_home(self, pod: int, node: int) -> bool:
        """Whether the pod stands on the node in the snapshot: there it is what it is, elsewhere what will be made."""
        return node >= 0 and node == int(self._placement.node_of[pod]) and pod not in self._renewed

    def renew(self, pod: int) -> None:
        """The pod restarts where it stands: it takes what its replacement asks for."""
        node = self.node_of(pod)
        self._shift(pod, node, -1)
        self._renewed |= {pod}
        self._shift(pod, node, 1)

    def outgrown(self, pod: int) -> bool:
        """Whether what comes in place of the pod asks its node for more of anything, or for other devices."""
        placement, devices, node = self._placement, self._placement.devices, self.node_of(pod)
        if not self.at_home(pod, node):
            return False
        if devices is not None and self._claiming(pod) and devices.differ(pod, self._remade(pod), node):
            return True
        has = dict(placement.amounts(int(placement.classes.of_pod[pod])))
        made = placement.amounts(int(placement.classes.remade[pod]))
        return any(amount > has.get(row, 0) for row, amount in made)

    def reserve(self, pod: int, node: int) -> None:
        """Set aside what a pod without a place would take of a node: amounts and devices, for good.

        It does not stand there yet, so no rule between pods counts it, neither for nor against others.
        """
        self._take(pod, node, 1)
        self._waiting -= {pod}

    def linger(self, pod: int, node: int) -> None:
        """A pod that was removed terminates on the node: it holds its room there, and rules between pods count it as
        the scheduler counts pods that terminate, wherever else its replacement is placed."""
        self._stay_behind(pod, node, 1)

    def end(self, pod: int, node: int) -> None:
        """A pod that lingers on the node is gone."""
        self._stay_behind(pod, node, -1)

    def cordon(self, nodes: Collection[int]) -> None:
        """From now on these nodes, and no others beside those of the snapshot, are cordoned."""
        self._cordoned = None
        if nodes:
            self._cordoned = np.zeros(self.nodes, np.bool_)
            self._cordoned[list(nodes)] = True

    def _stay_behind(self, pod: int, node: int, sign: int) -> None:
        self._journal.append((int(self._placement.classes.of_pod[pod]), node, sign, True))
        self._take(pod, node, sign, holder=~pod)  # its replacement may hold devices beside it
        self._attachments.shift(self._placement.snapshot.pods[pod], node, sign)

    def _shift(self, pod: int, node: int, sign: int) -> None:
        placement = self._placement
        self._journal.append((self._class_on(pod, node), node, sign, bool(placement.terminating[pod])))
        self._take(pod, node, sign)
        for claim in self._exclusive(pod):
            self._users[claim] = self._users.get(claim, 0) + sign
        self._attachments.shift(placement.snapshot.pods[pod], node, sign)

    def _take(self, pod: int, node: int, sign: int, holder: int | None = None) -> None:
        """Amounts and devices of the pod; devices are in the name of the `holder`, itself unless another is given."""
        placement, holder = self._placement, pod if holder is None else holder
        cls = self._class_on(pod, node)
        for row, amount in self._amounts(pod, node):
            if row not in self._owned:
                self._rows[row] = self._rows[row].copy()
                self._owned.add(row)
            self._rows[row][node] -= sign * amount
        need = placement.gpus.need(placement.classes.spec_of(cls))
        given = self._claim(pod, node, sign, holder)
        if need is None and not self._claiming(pod):
            return
        if sign < 0:
            self._gpus.give(holder, node, need)
        else:
            self._gpus.take(holder, node, need, given or self._own_devices(pod, node, need))

    def _own_devices(self, pod: int, node: int, need: GpuNeed | None) -> Held | None:
        # Back on its own node, a pod finds its own devices, so that taking it away and putting it back changes nothing.
        placement = self._placement
        if not self.at_home(pod, node):
            return None
        return placement.gpu_table.held(pod) or held_by(placement.snapshot.pods[pod], need, node)

    def _claim(self, pod: int, node: int, sign: int, holder: int) -> Held | None:
        """The claims that come or go with the pod; the GPUs of the node that are allocated for it now."""
        devices, table = self._placement.devices, self._claims
        if devices is None or table is None or not self._claiming(pod):
            return None
        if sign < 0:
            table.give(holder, devices.held(pod))
        elif self.at_home(pod, node):
            table.take_back(holder, devices.held(pod))
        else:
            wanted = devices.wanted(pod, self._remade(pod)) or Wanted()
            found = parts(self._placement.snapshot.nodes[node].gpus, table.take(holder, node, wanted))
            return Held(tuple(index for index, _ in found), tuple(milli for _, milli in found)) if found else None
        return None

    def _claiming(self, pod: int) -> bool:
        one, devices = self._placement.snapshot.pods[pod], self._placement.devices
        if devices is None:
            return False
        return bool(one.device_claims) or devices.claiming(one.spec) or devices.claiming(self._remade(pod))

    def _remade(self, pod: int) -> PodSpec:
        classes = self._placement.classes
        return classes.spec_of(int(classes.remade[pod]))

    def _exclusive(self, pod: int) -> Iterable[ClaimKey]:
        one = self._placement.snapshot.pods[pod]
        if not one.claims:
            return ()
        claims = self._placement.snapshot.claims
        keys = [(one.namespace, name) for name in one.claims]
        return [key for key in keys if key in claims and ONCE_PER_POD in claims[key].access_modes]

    def _amounts(self, pod: int, node: int) -> tuple[tuple[int, int], ...]:
        """(row, amount) of all that the pod takes from the node, or has of its own."""
        cls, placement = self._class_on(pod, node), self._placement
        return placement.amounts(cls) if node < 0 or self.at_home(pod, node) else placement.amounts_on(cls, node)

    # -- asking -----------------------------------------------------------------------------------------------------

    def fits(self, pod: int, nodes: Nodes = None) -> Mask:
        """[N] or [K]: may the scheduler put the pod there now, to stay?"""
        ok = self._whole(pod, nodes, self._fits)
        lasting = self._lasting(pod)
        return ok if lasting is None else ok & lasting[_at(nodes)]

    def stays(self, pod: int, nodes: Positions) -> Mask:
        """[K] whether the pod, put on these nodes, would stay there; False on those about to go."""
        lasting = self._lasting(pod)
        return np.ones(len(nodes), np.bool_) if lasting is None else lasting[nodes]

    def possible(self, pod: int) -> Mask:
        """[N] nodes that could ever take the pod: what labels, taints, device models and its volumes allow."""
        placement = self._placement
        spec = placement.classes.spec_of(int(placement.classes.remade[pod]))
        ok: Mask = placement.static.codes(spec) == 0
        need = placement.gpus.need(spec)
        if need is not None:
            ok = ok & need.suitable
        volumes = placement.volume_rules(pod)
        for _, mask in volumes.allowed if volumes else ():
            ok = ok & mask
        return ok

    def affine(self, spec: PodSpec) -> Mask:
        """[N] nodes that the spec's node selector and required node affinity both select."""
        return self._placement.static.affine(spec.node_selector, spec.node_affinity)

    def schedulable(self, spec: PodSpec) -> Mask:
        """[N] nodes whose state, taints and labels let a pod with the spec be scheduled there, to stay."""
        allowed: Mask = self._placement.static.codes(spec) == 0
        return allowed

    def preferences(self, spec: PodSpec) -> Ints:
        """[N] summed weights of the spec's preferred node affinity terms that select the node."""
        return self._placement.static.preferences(spec.node_affinity)

    def soft_taints(self, spec: PodSpec) -> Ints:
        """[N] how many PreferNoSchedule taints of a node the spec does not tolerate."""
        return self._placement.static.soft_taints(spec.tolerations)

    def clashes(self) -> tuple[Clash, ...]:
        """Pods that stand together though required anti-affinity forbids it, but for those that were moved here."""
        return tuple(clashes(self._placement, self._moved))

    def uneven(self, kinds: Collection[str], seen: Mask) -> tuple[tuple[Spread, ...], ...]:
        """Topology spread constraints of some kinds, together as one pod carries them, where one does not hold; `seen`
        [N] are nodes whose domains are looked at."""
        return tuple(uneven(self._placement, self, kinds, seen))

    def verdicts(self, pod: int, nodes: Nodes = None) -> NDArray[np.uint8]:
        """[N] or [K]: the first predicate that fails on each node, `Predicate.OK` (0) where none does."""
        return self._whole(pod, nodes, self._first_failing)

    def _whole(self, pod: int, nodes: Nodes, judge: Callable[[Question], NDArray[_T]]) -> NDArray[_T]:
        """[N] or [K]. For a claim that fails on one node the scheduler gives up the pod, so all of them are asked."""
        devices = self._placement.devices
        if nodes is None or devices is None or not devices.claiming(self._remade(pod)):
            return judge(self._question(pod, _at(nodes)))
        return judge(self._question(pod, _ALL))[_at(nodes)]

    def _first_failing(self, question: Question) -> NDArray[np.uint8]:
        codes: NDArray[np.uint8] = question.rules.static[question.at].copy()
        cordoned = self._closed_to(question.pod)
        if cordoned is not None:
            codes[cordoned[question.at]] = Predicate.UNSCHEDULABLE
        for predicate, mask in question.masks():
            codes[(codes == 0) & ~mask] = predicate
        if question.claimed is not None:
            good = np.flatnonzero(codes == 0)
            codes[good] = question.claimed.verdicts(self._positions(question.at)[good])
        return codes

    def explain(self, pod: int) -> dict[Predicate, int]:
        """How many nodes fail for which reason first, in the scheduler's order; OK where the pod fits."""
        counts = np.bincount(self.verdicts(pod), minlength=len(Predicate))
        return {p: int(counts[p]) for p in Predicate if counts[p]}

    def explain_text(self, pod: int) -> str:
        """The scheduler's own sentence: "0/5 nodes are available: 3 Insufficient cpu, …"."""
        codes = self.verdicts(pod)
        tally: Tally[str] = Tally()
        for predicate, count in self.explain(pod).items():
            failing = np.flatnonzero(codes == predicate)
            if predicate is Predicate.RESOURCES:
                tally.update(self._insufficient(pod, failing))
            elif predicate in _REPORTED_TOGETHER:
                tally.update(self._volume_reasons(pod, failing))
            elif predicate is not Predicate.OK:
                tally[TEXT[predicate]] += count
        reasons = ", ".join(sorted(f"{count} {text}" for text, count in tally.items() if count))
        fit = int((codes == 0).sum())
        return f"{fit}/{len(codes)} nodes are available" + (f": {reasons}." if reasons else ".")

    def _insufficient(self, pod: int, nodes: Indices) -> dict[str, int]:
        question = self._question(pod, nodes)
        names = self._placement.columns.resources
        short = {names[c]: int((~question.enough(c, amount)).sum()) for c, amount in question.rules.requests}
        return {"Too many pods" if n == "pods" else f"Insufficient {n}": count for n, count in short.items() if count}

    def _volume_reasons(self, pod: int, nodes: Indices) -> dict[str, int]:
        rules = self._placement.volume_rules(pod)
        allowed = rules.allowed if rules else ()
        return {TEXT[p]: int((~mask[nodes]).sum()) for p, mask in allowed if p in _REPORTED_TOGETHER}

    def likely(
        self, pod: int, steered: Collection[int] = (), towards: Collection[int] = ()
    ) -> tuple[tuple[int, float], ...]:
        """Where the default scheduler would put the pod now: see `Outlook.likely`."""
        return self.outlook(pod).likely(steered, towards)

    def outlook(self, pod: int) -> Outlook:
        """The nodes on which the pod fits now, and how the scheduler likes them; for as long as this state stays as it
        is."""
        room = np.flatnonzero(self._fits(self._question(pod, _ALL)))
        cls = int(self._placement.classes.remade[pod])
        question = self._question(pod, room)
        return Outlook(room, partial(self._placement.scorer.scores, cls, question), len(self._placement.snapshot.nodes))

    @property
    def problems(self) -> tuple[str, ...]:
        """A line for each class of pods that cannot be judged, as far as it was asked about."""
        return self._placement.problems

    def set_aside(self, pod: int, why: str) -> None:
        """From now on the pod and those like it cannot be judged: they fit nowhere, and `problems` says why."""
        self._placement.set_aside(int(self._placement.classes.remade[pod]), why)

    # -- resources --------------------------------------------------------------------------------------------------

    def free(self, nodes: Nodes = None, *, promised: bool = False) -> Ints:
        """[N, R] or [K, R]: allocatable minus requested, in the units of `quantity.amount` (millicores, bytes).

        Room that is kept for nominated pods is free only with what is `promised`.
        """
        at = _at(nodes)
        if promised or not self._waiting:
            return np.stack([row[at] for row in self._rows[:-2]], axis=1)
        free = np.stack(self._rows[:-2], axis=1)
        least = np.minimum(free, 0)  # what they wait for is still taken by those who leave for them
        for one in self._awaited():
            for row, amount in one.amounts:
                if row < free.shape[1]:
                    free[one.node, row] -= amount
        return np.maximum(free, least)[at]

    def whole_gpus(self, *, promised: bool = False) -> Ints:
        """[N] wholly free GPU devices; `promised` as in `free`."""
        return (self._gpus if promised else self._unclaimed_gpus()).whole()

    def gpu_milli(self, *, promised: bool = False) -> Ints32:
        """[N, D] thousandths free of each GPU device, -1 where a node has no such device; `promised` as in `free`."""
        return (self._gpus if promised else self._unclaimed_gpus()).free()

    def _unclaimed_gpus(self) -> GpuTable:
        if not self._waiting:
            return self._gpus
        gpus = self._gpus.fork()
        for one in self._awaited():
            gpus.take(one.pod, one.node, one.gpu)
        return gpus

    def gpus_held(self, pod: int) -> Devices:
        """The usable devices that the pod holds, as far as it is known which."""
        return self._gpus.holding(pod)

    def gpu_need(self, pod: int) -> GpuNeed | None:
        """What the pod takes of the GPUs of its node, or will take of another; None when it asks for none."""
        classes = self._placement.classes
        return self._placement.gpus.need(classes.spec_of(self._class_on(pod, self.node_of(pod))))

    def gpu_needs(self) -> tuple[GpuNeed | None, ...]:
        """[S] the same for each distinct spec, `columns.specs`."""
        return self._placement.gpu_needs

    # -- inside -----------------------------------------------------------------------------------------------------

    def _class_on(self, pod: int, node: int) -> int:
        """What the pod is on its own node, and what it will be anywhere else."""
        classes = self._placement.classes
        return int((classes.of_pod if self.at_home(pod, node) else classes.remade)[pod])

    def _question(self, pod: int, at: At, node: int | None = None) -> Question:
        placement = self._placement
        where = self.node_of(pod) if node is None else node
        here = self._class_on(pod, where)
        lifted = ((here, where, -1, bool(placement.terminating[pod])),) if where >= 0 else ()
        used = 1 if self.node_of(pod) >= 0 else 0
        return Question(
            pod=pod,
            rules=placement.rules(int(placement.classes.remade[pod])),
            volumes=placement.volume_rules(pod),
            at=at,
            node=where,
            lifted=lifted,
            rows=self._rows,
            amounts=self._amounts(pod, where),
            holds=placement.gpus.need(placement.classes.spec_of(here)),
            gpus=self._gpus,
            current=self._current,
            users=lambda claim: placement.volumes.users[claim] + self._users.get(claim, 0) - used,
            attachable=self._attachments.room(placement.snapshot.pods[pod], where),
            expected=self._awaited(pod),
            claimed=self._claimed(pod),
        )

    def _closed_to(self, pod: int) -> Mask | None:
        """[N] nodes that this state cordons, where that keeps the pod's replacement off."""
        classes = self._placement.classes
        if self._cordoned is None or enters_cordoned(classes.spec_of(int(classes.remade[pod]))):
            return None
        return self._cordoned

    def _lasting(self, pod: int) -> Mask | None:
        return self._placement.rules(int(self._placement.classes.remade[pod])).lasting

    def _awaited(self, pod: int = -1) -> tuple[Expected, ...]:
        """Nominated pods that have not come yet; of those the ones that another pod must reckon with, if it is given:
        all others that do not rank below it."""
        if not self._waiting:
            return ()
        least = self._placement.snapshot.pods[pod].priority if pod >= 0 else None
        return tuple(
            self._expectation(one.pod, one.node)
            for one in self._placement.nominated
            if one.pod in self._waiting and one.pod != pod and (least is None or one.priority >= least)
        )

    def _expectation(self, pod: int, node: int) -> Expected:
        placement = self._placement
        cls = int(placement.classes.of_pod[pod])
        return Expected(pod, cls, node, placement.amounts(cls), placement.gpus.need(placement.classes.spec_of(cls)))

    def _fits(self, question: Question) -> Mask:
        ok = question.rules.allowed[question.at].copy()
        cordoned = self._closed_to(question.pod)
        if cordoned is not None:
            ok &= ~cordoned[question.at]
        for _, mask in question.masks():
            ok &= mask
            if not ok.any():
                return ok
        if question.claimed is not None:
            good = np.flatnonzero(ok)
            ok[good] = question.claimed.verdicts(self._positions(question.at)[good]) == 0
        return ok

    def _positions(self, at: At) -> Indices:
        return np.arange(self.nodes)[at]

    def _claimed(self, pod: int) -> Claiming | None:
        """The claims of the pod, as if it had just left."""
        devices = self._placement.devices
        if devices is None or self._claims is None or not devices.claiming(self._remade(pod)):
            return None
        table = self._claims
        if self.node_of(pod) >= 0:
            table = table.fork()
            table.give(pod, devices.held(pod))
        return Claiming(devices, devices.wanted(pod, self._remade(pod)), table)

    def _current(self, counter: Counter) -> Ints:
        """The counter in this state: as last seen, plus the journal since."""
        counts, seen = self._counts.get(counter, (counter.base, 0))
        if seen < len(self._journal):
            counts = counter.shift(counts, self._journal[seen:])
            self._counts[counter] = (counts, len(self._journal))
        return counts


def _at(nodes: Nodes) -> At:
    return _ALL if nodes is None else np.asarray(nodes, np.intp)
