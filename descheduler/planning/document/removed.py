"""What a plan tells of a pod that is removed, or let go."""

from __future__ import annotations

from descheduler.model.plan import PodMove, ProofRow
from descheduler.model.removed_state import let_go, state_of
from descheduler.planning.document.remade import asked, remade
from descheduler.planning.planner import Outcome
from descheduler.planning.proofs import NOWHERE, Proof

REMOVER = "evict"
"""The executor of removals, whatever the policy's is: there is no place to prepare."""

_RELEASED = "made again, and waits in its turn; those for whom it leaves come before it"


def removed_pod(outcome: Outcome, proof: Proof, *, released: bool = False) -> PodMove:
    """The row of one pod; it has no destination."""
    snapshot = outcome.view.snapshot
    pod, columns = snapshot.pods[proof.pod], snapshot.columns
    becomes, why = remade(snapshot, proof.pod)
    return PodMove(
        namespace=pod.namespace,
        pod=pod.name,
        uid=pod.uid,
        workload=str(columns.workloads[columns.pod_workload[proof.pod]]),
        source=pod.node,
        destination="",
        requests=asked(pod.spec),
        proof=ProofRow(
            candidates=0, expected="", expected_share=1.0, text=_RELEASED if released else _after(outcome, proof)
        ),
        becomes=becomes,
        remade=why,
        state=let_go(pod) if released else state_of(pod),
    )


def _after(outcome: Outcome, proof: Proof) -> str:
    if proof.node == NOWHERE:
        return "it has finished: nothing runs, and nothing is made in its place"
    name = outcome.view.snapshot.nodes[proof.node].name
    if proof.node == outcome.view.snapshot.columns.pod_node[proof.pod]:
        return f"made again wherever the scheduler puts it; {name}, where it is, can take it again"
    return f"made again wherever the scheduler puts it; not where it is, but on {name} there is room"
