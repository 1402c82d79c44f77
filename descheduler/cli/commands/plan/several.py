"""Several policies on what was seen once: their plans side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from descheduler.cli import failures
from descheduler.cli.commands.plan.common import names_of, remarks, write_compared, wrong_with
from descheduler.cli.source import SourceOptions, read, read_written
from descheduler.cli.watching import watched
from descheduler.model.errors import UsageError
from descheduler.observe import Observed
from descheduler.observe.signals import wanted_signals
from descheduler.pipeline import plan, profile
from descheduler.policy import Policy, Setting
from descheduler.report.formats import SIDE_BY_SIDE

if TYPE_CHECKING:
    from descheduler.cli.output import Target

_JUDGED = frozenset({"max_staleness", "min_coverage"})
"""What a policy says of history without which it is read all the same."""


def compare(
    options: SourceOptions,
    files: Sequence[Path],
    settings: Sequence[Setting],
    form: str,
    target: Target,
    *,
    lenient: bool,
    exit_code: bool,
) -> int:
    """Plan under each policy and write the comparison; the exit code."""
    from descheduler.cli.output import say

    if form not in SIDE_BY_SIDE:
        raise UsageError(f"-o {form} is for one plan: several are written as {', '.join(SIDE_BY_SIDE)}")
    options.check()
    names = names_of(files)
    written = [read_written(file, options, settings, lenient=lenient) for file in files]
    policies = [one.policy for one in written]
    if options.live or options.at:
        _check_histories(names, policies)
    plans = {}
    with watched() as stages:
        seen = read(options, _reading(policies), stages=stages)
        profiles = profile(seen, stages=stages)
        told = remarks(options, settings, seen.now)
        stages.begin("planning")
        for i, (name, one) in enumerate(zip(names, written, strict=True)):
            stages.at(i, len(names))
            own = _own(seen, one.policy) if options.live else seen
            mine = {signal: profiles[signal] for signal in own.histories}
            plans[name] = replace(plan(own, one.policy, mine), remarks=(*told, *one.remarks))
    wrong = [f"{name}: {problem}" for name, document in plans.items() for problem in wrong_with(document)]
    for problem in wrong:
        say(f"error: {problem}")
    code = write_compared(plans, form, target, exit_code=exit_code)
    return failures.FAILED if wrong else code


def _check_histories(names: Sequence[str], policies: Sequence[Policy]) -> None:
    """Raises UsageError where the policies would not read the same history."""
    first = policies[0].history
    for name, policy in zip(names, policies, strict=True):
        for key, field in type(first).model_fields.items():
            if key not in _JUDGED and getattr(policy.history, key) != getattr(first, key):
                raise UsageError(
                    f"{names[0]} and {name} differ in history.{field.alias}, so that they do not read the same: "
                    "compare plans that were written (`descheduler plan diff`)"
                )


def _reading(policies: Sequence[Policy]) -> Policy:
    """A policy that reads what any of them wants."""
    strategies = tuple(choice for policy in policies for choice in policy.strategies)
    return policies[0].model_copy(update={"strategies": strategies})


def _own(seen: Observed, policy: Policy) -> Observed:
    """What the policy would have read by itself: of a signal that it does not want nothing is wrong."""
    wanted = wanted_signals(policy, seen.snapshot)
    return replace(seen, histories={signal: h for signal, h in seen.histories.items() if signal in wanted})
