"""Numbers and sentences of profiles for people: the same in terminals and on pages."""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.model.format import UNKNOWN, usage
from descheduler.report.profiles.document import ProfileDocument, Rule
from descheduler_profiling.settings import ONE_WEEK, TWO_WEEKS


def unit_of(unit: str) -> str:
    """The unit where it stands beside a title; bytes and fractions carry theirs with each number."""
    return "" if unit in ("bytes", "fraction") else unit


def level(quantile: float) -> str:
    """`p95`."""
    return f"p{100 * quantile:g}"


def share(value: float | None) -> str:
    """A covered share: `95.2%`."""
    return UNKNOWN if value is None else f"{value:.1%}"


def against(rule: Rule, ours: Rule, q: int) -> str:
    """A rule's loss beside ours: `2.1×`."""
    theirs, mine = rule.day_loss[q], ours.day_loss[q]
    if theirs is None or mine is None:
        return UNKNOWN
    return "=" if theirs == mine else f"{theirs / mine:.2f}×" if mine > 0 else "∞"


def ours(doc: ProfileDocument) -> Rule | None:
    """What this profile did when it was tried."""
    return next((rule for rule in doc.rules if rule.ours), None)


def trust(doc: ProfileDocument) -> str:
    """How far the profile may be trusted, and why not further."""
    if not doc.known:
        return f"No profile: {doc.why or 'nothing is known'}."
    text = f"Confidence {doc.confidence:.2f}" + (f": {doc.why}." if doc.why else ": a whole week was measured.")
    text = f"{text} {weekends(doc)}".rstrip()
    return text if doc.complete else f"{text} The history is not complete, so nobody acts on it."


def weekends(doc: ProfileDocument) -> str:
    """What the history is too short to tell of weeks; empty where it tells."""
    first = next((at for at, value in enumerate(doc.history) if value is not None), len(doc.history))
    days = (len(doc.history) - first) * doc.step / 86_400
    if days < ONE_WEEK:
        return "Less than a week is known: weekends are forecast like the days before them."
    if days < TWO_WEEKS:
        return "Less than two weeks are known: weekends are told by the last one alone, other weekdays not at all."
    return ""


def peaks(doc: ProfileDocument) -> str:
    """The largest usage ahead, in a sentence."""
    hour, day = usage(doc.peak_hour, doc.unit), usage(doc.peak_day, doc.unit)
    return f"The largest usage stays below {hour} in the next hour and {day} in the next day, with probability 0.95."


def nearest(quantiles: Sequence[float]) -> int:
    """Which of the quantiles is meant where one stands for the high ones: the nearest to 0.95."""
    return min(range(len(quantiles)), key=lambda i: abs(quantiles[i] - 0.95))


def high(doc: ProfileDocument) -> int:
    """The same of a document."""
    return nearest(doc.quantiles)


def yesterday(doc: ProfileDocument) -> str:
    """What became of the forecast of a day ago, in a sentence; empty where there was none."""
    q = high(doc)
    kept = doc.kept[q]
    return (
        ""
        if kept is None
        else f"Of the last day, {share(kept)} was at or under the {level(doc.quantiles[q])} that was forecast for it."
    )


def verdict(doc: ProfileDocument) -> str:
    """What trying it on its past says, in a sentence."""
    mine = ours(doc)
    if mine is None:
        return f"Not tried on its past: {doc.untried}."
    q = high(doc)
    covered = f"at {level(doc.quantiles[q])} it covered {share(mine.day_coverage[q])} of what came"
    rivals = [(rule.rule, rule.day_loss[q]) for rule in doc.rules if not rule.ours]
    compared = [(name, loss) for name, loss in rivals if loss is not None]
    loss = mine.day_loss[q]
    if loss is None or not compared:
        return f"Tried at {len(doc.tried_at)} past instants, a day ahead: {covered}."
    name, best = min(compared, key=lambda one: one[1])
    beside = f"{abs(1 - loss / best):.0%} {'less' if loss <= best else 'more'} loss than" if best > 0 else "beside"
    return f"Tried at {len(doc.tried_at)} past instants, a day ahead: {covered}, with {beside} the next best ({name})."
