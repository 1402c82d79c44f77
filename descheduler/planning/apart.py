"""Which actions may not share a wave because one steers away from where the other's pods are expected."""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.planning.proofs import Accepted


def apart(accepted: Sequence[Accepted]) -> list[tuple[int, ...]]:
    """For each action the positions of earlier ones that it must not share a wave with.

    Landings are foreseen with the taints of one action, and in a wave all its actions' taints are there at once. A
    further taint on a node where a pod is not expected anyway changes nothing: TaintToleration lowers that node alone
    (kubernetes pkg/scheduler/framework/plugins/tainttoleration/taint_toleration.go). On a node where it is expected it
    would send the pod elsewhere, back to its source perhaps.
    """
    vacated: dict[int, list[int]] = {}  # node -> earlier actions that steer away from it
    awaited: dict[int, list[int]] = {}  # node -> earlier actions whose pods may land on it, steered by others only
    out: list[tuple[int, ...]] = []
    for i, one in enumerate(accepted):
        steered = set(one.proposal.vacating)
        strange = {node for proof in one.proofs for node, _ in proof.likely} - steered
        met = {j for node in strange for j in vacated.get(node, ())}
        met.update(j for node in steered for j in awaited.get(node, ()))
        out.append(tuple(sorted(met)))
        for nodes, by_node in ((steered, vacated), (strange, awaited)):
            for node in nodes:
                by_node.setdefault(node, []).append(i)
    return out
