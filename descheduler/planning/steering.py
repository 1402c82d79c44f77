"""Which actions may not share a wave because one steers away from where the other's pods are expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from descheduler.planning.judge import Accepted


def apart(accepted: Sequence[Accepted]) -> list[tuple[int, ...]]:
    """For each action the positions of earlier ones that it must not share a wave with.

    Landings are foreseen with the taints of one action, and in a wave all its actions' taints are there at once. A
    further taint on a node where a pod is not expected anyway changes nothing: TaintToleration lowers that node alone
    (kubernetes pkg/scheduler/framework/plugins/tainttoleration/taint_toleration.go). On a node where it is expected it
    would send the pod elsewhere, back to its source perhaps.
    """
    steered = [frozenset(one.proposal.vacating) for one in accepted]
    expected = [frozenset(node for proof in one.proofs for node, _ in proof.likely) for one in accepted]
    strange = [nodes - own for nodes, own in zip(expected, steered, strict=True)]
    return [
        tuple(j for j in range(i) if strange[i] & steered[j] or strange[j] & steered[i]) for i in range(len(steered))
    ]
