"""The proof of a release: those who leave have held what others wait for, and do not take it again before these.

They are made again, and wait in their turn. kube-scheduler takes the pod of the higher priority first, of equal ones
the one that waits longer (kubernetes pkg/scheduler/framework/plugins/queuesort/priority_sort.go), so whoever is let in
must not come after those who leave; unless the executor makes these only once the others have started.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.moves import Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.executor_rules import ExecutorTraits
from descheduler.planning.proofs import NOWHERE, Proof
from descheduler.planning.stages import Stage, restarting


def release(view: RebalanceView, proposal: Proposal, state: Scenario) -> Stage:
    """The one stage of a release: its pods are gone, and nothing is set aside for those that come after them."""
    after = state.fork()
    for move in proposal.moves:
        after.remove(move.pod)
    proofs = tuple(Proof(move.pod, NOWHERE, 1.0, 0, ()) for move in proposal.moves)
    return Stage(proposal.moves, proofs, after, restarting(view, [move.pod for move in proposal.moves]), frozenset())


def retaken(view: RebalanceView, releases: Sequence[tuple[Proposal, ExecutorTraits]]) -> Blocked | None:
    """Whether somebody of these would take a place that another has been let go for, in any of them: the scheduler
    would try him first, and could put him there."""
    pods = view.snapshot.pods
    seats = [seat for proposal, _ in releases for seat in proposal.seats]
    loose = (move.pod for proposal, way in releases if not way.manner.holds_back for move in proposal.moves)
    kinds = {(pods[pod].priority, int(view.snapshot.columns.pod_remade[pod])): pod for pod in loose}
    for (priority, _), pod in kinds.items():
        below = [seat for seat in seats if pods[seat.pod].priority < priority]
        could = view.start.possible(pod) if below else None
        taken = next((seat.pod for seat in below if could is not None and could[seat.node]), None)
        if taken is not None:
            text = f"its priority {priority} is above {pods[taken].priority}, that of {pods[taken].key}"
            return Blocked(Reason.WOULD_TAKE_IT_BACK, f"pod/{pods[pod].key}", text)
    return None
