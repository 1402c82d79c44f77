"""The proof of a release: those who leave have held what others wait for, and do not take it again before these.

They are made again, and wait in their turn. kube-scheduler takes the pod of the higher priority first, of equal ones
the one that waits longer (kubernetes pkg/scheduler/framework/plugins/queuesort/priority_sort.go), so whoever is let in
must not come after those who leave; unless the executor makes these only once the others have started.
"""

from __future__ import annotations

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


def retaken(view: RebalanceView, proposal: Proposal, way: ExecutorTraits) -> Blocked | None:
    """Why those who leave would be taken first again by the scheduler, though the others wait for longer."""
    if way.manner.holds_back:
        return None
    pods = view.snapshot.pods
    last = min((seat.pod for seat in proposal.seats), key=lambda pod: pods[pod].priority)
    first = max((move.pod for move in proposal.moves), key=lambda pod: pods[pod].priority)
    if pods[last].priority >= pods[first].priority:
        return None
    text = f"its priority {pods[first].priority} is above {pods[last].priority}, that of {pods[last].key}"
    return Blocked(Reason.WOULD_TAKE_IT_BACK, f"pod/{pods[first].key}", text)
