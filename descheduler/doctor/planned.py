"""The plan itself: what is sound in every part is not yet sound as a whole, so one is made, and looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from descheduler.doctor.checks import Check, failure, ok
from descheduler.doctor.given import Given
from descheduler.model.format import plural
from descheduler.observe import Observed
from descheduler.pipeline import decide_on
from descheduler.report import words
from descheduler_profiling.profiles import SignalProfiles

AREA = "plan"


def planned(observed: Observed, profiles: Mapping[str, SignalProfiles], given: Given) -> Iterator[Check]:
    """Whether `plan` would end well here. Raises PolicyError, StrategyError, ExecutorError as planning does."""
    decision = decide_on(observed, given.policy, profiles)
    plan = decision.plan
    if plan.acting_blocked:
        yield failure(AREA, "data", f"nothing may be executed: {plan.acting_blocked}")
    if plan.problems:
        text = f"it would rest on less than it should: {plural(len(plan.problems), 'problem')}"
        yield failure(AREA, "problems", text, "each has its line above, or says itself what is wrong", plan.problems)
    for blocked in decision.without_history:
        yield failure(AREA, f"strategy {blocked.by}", f"does not run: {blocked.detail}")
    if not plan.acting_blocked and not plan.problems and not decision.without_history:
        yield ok(AREA, "made", words.verdict(plan))
