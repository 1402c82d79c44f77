"""The limits of the policy that hold findings back, and what larger ones would bring.

Runs that were refused for a limit were proved before, and are judged once more when the plan is done: after all that is
in it, with that one limit lifted and all others in force. It is this plan continued, in its own order; strategies are
not asked again. How many are judged is bounded, so a larger limit brings at least what is said here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from descheduler.contract.ranking import Run
from descheduler.model.fence import fenced
from descheduler.model.moves import Finding, FindingKey, Proposal
from descheduler.model.plan import LeverRow, LeverStep
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.effects import cures, level_with
from descheduler.planning.prover import Prover
from descheduler.policy.amounts import Amount

MOST_JUDGED = 120
"""Proposals judged once more in one plan: half a second at 5,000 nodes."""
_LIFTED = 10**9


@dataclass(frozen=True, slots=True)
class _Limit:
    """`kind`: what budgets count for it; how it is `read` and lifted."""

    setting: str
    kind: str
    read: Callable[[DisruptionLimits], Amount | None]
    lifted: Callable[[DisruptionLimits], DisruptionLimits]


LIMITS: Mapping[Reason, _Limit] = {
    Reason.CYCLE_LIMIT: _Limit("perCycle", "cycle", lambda x: x.per_cycle, partial(replace, per_cycle=_LIFTED)),
    Reason.HOUR_LIMIT: _Limit("perHour", "hour", lambda x: x.per_hour, partial(replace, per_hour=_LIFTED)),
    Reason.NODE_LIMIT: _Limit("perNode", "node", lambda x: x.per_node, partial(replace, per_node=_LIFTED)),
    Reason.NAMESPACE_LIMIT: _Limit(
        "perNamespace", "namespace", lambda x: x.per_namespace, partial(replace, per_namespace=_LIFTED)
    ),
    Reason.TOUCHED_NODES_LIMIT: _Limit(
        "nodesPerCycle", "nodes", lambda x: x.nodes_per_cycle, partial(replace, nodes_per_cycle=_LIFTED)
    ),
}
"""Limits that add up over a plan, by the reason of their refusals."""


@dataclass(frozen=True, slots=True)
class Held:
    """A run that a limit refused."""

    run: Run
    reason: Reason


@dataclass(frozen=True, slots=True)
class _Reached:
    """With this run too: the limit that it takes, and how many moves more than in the plan."""

    limit: int
    moves: int
    run: Run


def levers(prover: Prover, held: Iterable[Held]) -> tuple[LeverRow, ...]:
    """One row for each limit that held back what the plan, as `prover` has it, does not cure."""
    waiting: dict[Reason, dict[tuple[int, ...], Run]] = {}
    cured: dict[FindingKey, bool] = {}
    answers = _by_finding(prover)
    for one in held:
        finding = one.run[0].finding
        if finding.key not in cured:
            cured[finding.key] = _cured_by(prover, finding, answers.get(finding.key, ()))
        if not cured[finding.key]:
            waiting.setdefault(one.reason, {})[_pods((one.run,))] = one.run
    each = MOST_JUDGED // max(1, len(waiting))
    rows = [_lever(prover, reason, list(runs.values()), each) for reason, runs in waiting.items()]
    return tuple(sorted(rows, key=lambda row: (-row.moves, row.setting)))


def _lever(prover: Prover, reason: Reason, runs: Sequence[Run], most: int) -> LeverRow:
    limit, limits, pods = LIMITS[reason], prover.budgets.limits, _pods(runs)
    allowed = prover.budgets.cap(reason, pods)
    beyond, then = prover.under(limit.lifted(limits)), set[str]()
    reached: list[_Reached] = []
    moves = 0
    for run in runs:
        most -= len(run)
        if most < 0:
            break
        if _cured(beyond, run):  # by a run before it
            continue
        attempt = _continued(beyond, run)
        if isinstance(attempt, Prover):
            beyond, moves = attempt, moves + len(_pods((run,)))
            reached.append(_Reached(beyond.budgets.used(limit.kind), moves, run))
        elif attempt.reason in LIMITS:
            then.add(LIMITS[attempt.reason].setting)
    return LeverRow(
        setting=limit.setting,
        written=str(limit.read(limits)),
        allowed=allowed,
        findings=len({run[0].finding.key for run in runs}),
        moves=len(pods),
        steps=_steps(reached, beyond, allowed),
        then=tuple(sorted(then)),
    )


def _continued(prover: Prover, run: Run) -> Prover | Blocked:
    """The plan with the run in it, or who refuses it."""
    attempt = prover.fork()
    for proposal in run:
        failed = partial(Blocked, Reason.STRATEGY_FAILED, str(proposal.finding.subject))
        verdict = fenced(partial(attempt.judge, proposal), failed)
        if isinstance(verdict, Blocked):
            return verdict
    return attempt


def _steps(reached: Sequence[_Reached], beyond: Prover, allowed: int) -> tuple[LeverStep, ...]:
    """What the limit brings when it is doubled, and doubled again, and so on; only where that is more."""
    last = {one.run[0].finding.key: at for at, one in enumerate(reached)}
    cured = [at for at in last.values() if _cured(beyond, reached[at].run)]
    rows = [LeverStep(one.limit, one.moves, sum(i <= at for i in cured)) for at, one in enumerate(reached)]
    steps: list[LeverStep] = []
    bound = allowed
    while rows and bound < rows[-1].limit:
        bound = max(2 * bound, 1)
        most = max((row.cured for row in rows if row.limit <= bound), default=0)
        if most > (steps[-1].cured if steps else 0):
            steps.append(next(row for row in rows if row.cured == most))
    return tuple(steps)


def _cured(prover: Prover, run: Run) -> bool:
    """Whether the plan cures what the run would."""
    finding = run[0].finding
    return _cured_by(prover, finding, _by_finding(prover).get(finding.key, ()))


def _by_finding(prover: Prover) -> Mapping[FindingKey, Sequence[Proposal]]:
    """What is accepted, by what it answers."""
    found: dict[FindingKey, list[Proposal]] = {}
    for one in prover.accepted:
        found.setdefault(one.proposal.finding.key, []).append(one.proposal)
    return found


def _cured_by(prover: Prover, finding: Finding, answers: Sequence[Proposal]) -> bool:
    return bool(answers) and cures(
        finding, level_with(prover.view, prover.state, finding, sum(p.benefit for p in answers))[0]
    )


def _pods(runs: Iterable[Run]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(pod for run in runs for one in run for pod in (move.pod for move in one.moves)))
