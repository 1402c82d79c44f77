"""A plan as Markdown, for the summary of a pipeline or a comment on a change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from descheduler.model import format as fmt
from descheduler.model.plan import PlanDocument
from descheduler.report import lead, words

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


def to_markdown(plan: PlanDocument) -> str:
    """Verdict, findings, moves, and why others stay; tables of GitHub's flavour."""
    return "\n".join(_lines(plan))


def _lines(plan: PlanDocument) -> Iterator[str]:
    yield f"## Plan {_plain(plan.id or '–')} for {_plain(plan.cluster or 'cluster')}\n"
    yield f"**{_plain(words.verdict(plan))}**\n"
    mode = lead.Mode.of(plan)
    yield f"{mode.name}: {_plain(words.sentence(mode.text))} Made {fmt.instant(plan.created)}.\n"
    for problem in filter(None, (plan.acting_blocked, *plan.problems)):
        yield f"> ⚠ {_plain(problem)}\n"
    if plan.findings:
        rows = [
            (
                f"{words.subject(found.subject)}: {found.measure}",
                words.level(found, found.value),
                words.level(found, found.threshold),
                words.level(found, found.after),
                words.OUTCOMES.get(found.outcome, found.outcome),
                "" if found.outcome == "cured" else fate.why,
            )
            for fate in lead.fates(plan)
            for found in (fate.finding,)
        ]
        yield from _table("Findings", ("what", "now", "limit", "after", "outcome", "why"), rows)
    if plan.actions:
        moves = [
            (action.id, fmt.number(action.wave + 1), f"{pod.namespace}/{pod.pod}", words.way(pod))
            for action in sorted(plan.actions, key=lambda one: one.wave)
            for pod in action.pods
        ]
        yield from _table("Moves", ("action", "wave", "pod", "from → to"), moves)
    if plan.refusals:
        groups = [(group.reason, fmt.number(group.count), group.explanation) for group in words.groups(plan.refusals)]
        yield from _table("Not moved", ("reason", "count", "because"), groups)


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"### {title}\n"
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    yield from (f"| {' | '.join(map(_plain, row))} |" for row in rows)
    yield ""


def _plain(text: str) -> str:
    """A text that is no markup, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
