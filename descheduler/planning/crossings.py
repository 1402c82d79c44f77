"""Pods that would cross: one leaves a node that another one, which nobody can tell from it, comes to.

Both would restart, and the node have what it had. It happens where strategies of different aims look at one cluster:
one empties a node, the other finds room there. Who is moved for what it uses itself, as from a hot node, may cross:
what pods use tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterable

from descheduler.model.directing import direction_of
from descheduler.model.moves import ActionKind
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.proofs import Accepted

Kind = tuple[str, int, int]
"""Who makes the pod again (of a StatefulSet by name, so that no two are alike), its spec, and that of what is made."""


class Crossings:
    """Which nodes pods of each kind left in one plan, and which they came to."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self._snapshot = snapshot
        self._left: set[tuple[Kind, int]] = set()
        self._came: set[tuple[Kind, int]] = set()

    def met(self, accepted: Iterable[Accepted]) -> Blocked | None:
        """Who of these would cross a pod that was noted before."""
        for one in accepted:
            if one.proposal.finding.curve or one.kind is not ActionKind.MOVE:
                continue
            for pod, source, target in _routes(one):
                kind = self._kind(pod)
                if (kind, target) in self._left:
                    return self._crosses(pod, "leaves", target)
                if (kind, source) in self._came:
                    return self._crosses(pod, "comes to", source)
        return None

    def _crosses(self, pod: int, how: str, node: int) -> Blocked:
        text = f"in this plan a pod just like it {how} {self._snapshot.nodes[node].name}"
        return Blocked(Reason.WOULD_CROSS, f"pod/{self._snapshot.pods[pod].key}", text)

    def note(self, accepted: Iterable[Accepted]) -> None:
        """These are in the plan."""
        for one in accepted:
            if one.kind is not ActionKind.MOVE:  # it may come back to where it was
                continue
            for pod, source, target in _routes(one):
                self._left.add((self._kind(pod), source))
                self._came.add((self._kind(pod), target))

    def _kind(self, pod: int) -> Kind:
        columns, maker = self._snapshot.columns, direction_of(self._snapshot.pods[pod])
        return maker or f"pod {pod}", int(columns.pod_spec[pod]), int(columns.pod_remade[pod])


def _routes(one: Accepted) -> Iterable[tuple[int, int, int]]:
    """(pod, from where, to where) of its moves."""
    expected = {proof.pod: proof.node for proof in one.proofs}
    return ((move.pod, move.source, expected[move.pod]) for move in one.proposal.moves)
