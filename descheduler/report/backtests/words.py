"""Numbers and sentences of replays for people: the same in terminals and on pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from descheduler.model import format as fmt
from descheduler.report.backtests.document import Backtest, Contestant, Estimate, Replay, Trial, Tuning

COLUMNS = {
    "hot_minutes": "hot min",
    "spared": "spared",
    "excess": "core-s above",
    "caused": "caused",
    "evictions": "evictions",
    "restarts": "restarts",
    "ping_pong": "ping-pong",
    "pending_minutes": "pending min",
    "gpu_slots": "GPU slots",
    "pending_gpu_hours": "pending GPU-h",
}
"""Heads of the figures that all contenders have."""
TRADED = ("hot_minutes", "restarts", "evictions", "caused", "ping_pong", "gpu_slots", "pending_gpu_hours")
"""Those of them that trials are compared by."""
QUALITY = {
    "precision": "precision",
    "recall": "recall",
    "recall_before": "before it is hot",
    "coverage_cpu": "cpu covered",
    "coverage_memory": "memory covered",
    "plans": "plans",
    "paused": "paused",
}
"""Heads of the figures that tell how right findings and forecasts were."""
_SHARES = frozenset({"spared", "precision", "recall", "recall_before", "coverage_cpu", "coverage_memory"})
_SUMS = frozenset({"excess"})


def figure(figures: Mapping[str, Estimate], name: str) -> str:
    """`3 975 ± 120`, a dash where there is none; half the interval is told where there are several seeds."""
    one = figures.get(name)
    if one is None:
        return fmt.UNKNOWN
    text = value(one.mean, name)
    if one.low is None or one.high is None:
        return text
    # An interval that ends at a bound is narrower on that side: the wider one is told.
    wide = max(one.mean - one.low, one.high - one.mean)
    return f"{text} ± {value(wide, name)}" if wide else text


def value(number: float, name: str) -> str:
    """One value of a figure."""
    if name in _SHARES:
        return f"{number:.1%}" if abs(number) < 0.1 else f"{number:.0%}"
    return fmt.compact(number) if name in _SUMS else fmt.number(round(number, 1))


def shown(heads: Mapping[str, str], all_figures: Iterable[Mapping[str, Estimate]]) -> dict[str, str]:
    """The heads of what somebody has."""
    there = {name for figures in all_figures for name in figures}
    return {name: head for name, head in heads.items() if name in there}


def traded(doc: Tuning) -> dict[str, str]:
    """The heads of what trials are compared by, where any has more than nothing of it."""
    heads = {name: COLUMNS[name] for name in TRADED}
    some = ({name: one for name, one in trial.figures.items() if one.mean} for trial in doc.trials)
    return {**{name: heads[name] for name in ("hot_minutes", "restarts")}, **shown(heads, some)}


def head(replay: Replay) -> str:
    """What was replayed, in a line."""
    length = fmt.span(replay.end - replay.begin)
    size = f"{fmt.plural(replay.nodes, 'node')}, {fmt.plural(replay.pods, 'pod')}"
    gpus = f", {fmt.plural(replay.gpus, 'GPU')}" if replay.gpus else ""
    seeds = fmt.plural(len(replay.seeds), "seed")
    return f"{size}{gpus}, {length} in steps of {fmt.span(replay.step_seconds)}, {seeds}"


def hot_is(replay: Replay) -> str:
    """When a node counts as hot."""
    limits = [f"{name} above {' or '.join(map(fmt.percent, levels))}" for name, levels in replay.thresholds.items()]
    return f"a node is hot with {' or '.join(limits) or 'nothing known'} of allocatable, as {replay.judged_by} has it"


def verdict(doc: Backtest) -> str:
    """The outcome in a sentence: the best policy beside nobody and the best peer."""
    nobody, *others = doc.contenders
    alone = nobody.figures["hot_minutes"].mean
    if not alone:
        return "No node gets hot in this time, whether anybody acts or not."
    text = f"Without anybody nodes are hot for {_minutes(alone)}"
    ours, peers = ([one for one in others if one.kind == kind] for kind in ("policy", "peer"))
    for one in (_best(ours), _best(peers)):
        if one is not None:
            moved = fmt.plural(round(one.figures["evictions"].mean, 1), "eviction")
            text += f", with {one.name} for {_minutes(one.figures['hot_minutes'].mean)} after {moved}"
    return f"{text}."


def tuned(doc: Tuning) -> str:
    """What tuning found, in a sentence."""
    best = next(trial for trial in doc.trials if trial.id == doc.best)
    what = settings(best) or "the policy as it is"
    moved = fmt.plural(round(best.figures["restarts"].mean, 1), "restart")
    return (
        f"With a restart worth {fmt.plural(doc.price_minutes, 'hot minute')}, {what} does best: hot for "
        f"{_minutes(best.figures['hot_minutes'].mean)} after {moved}; without anybody "
        f"{_minutes(doc.nobody['hot_minutes'].mean)}."
    )


def effort(doc: Tuning) -> str:
    """How much was walked."""
    whole = sum(trial.share >= 1 for trial in doc.trials)
    tried = f"{fmt.plural(doc.combinations, 'combination')}, {len(doc.trials)} tried, {whole} over the whole time"
    return f"{tried}: {fmt.number(round(doc.walks, 1))} walks of {doc.budget}"


def settings(trial: Trial) -> str:
    """The values of a trial: `HotNodes.thresholds.cpu=70%`."""
    return ", ".join(f"{path}={text}" for path, text in trial.values.items())


def workloads(contenders: Sequence[Contestant], most: int) -> list[tuple[str, list[float]]]:
    """The workloads that restart most often, with how often they do for each contender."""
    counts = [{row.workload: row.count for row in one.restarts} for one in contenders]
    totals = {name: max(each.get(name, 0.0) for each in counts) for one in counts for name in one}
    order = sorted(totals, key=lambda name: (-totals[name], name))[:most]
    return [(name, [each.get(name, 0.0) for each in counts]) for name in order]


def reasons(contenders: Sequence[Contestant], most: int) -> list[tuple[str, str, list[float]]]:
    """The commonest reasons of refusals, what they say, and how often each contender met them."""
    said = {row.reason: row.explanation for one in contenders for row in one.refused}
    counts = [{row.reason: row.count for row in one.refused} for one in contenders]
    order = sorted(said, key=lambda name: (-max(each.get(name, 0.0) for each in counts), name))[:most]
    return [(name, said[name], [each.get(name, 0.0) for each in counts]) for name in order]


def _best(contenders: Sequence[Contestant]) -> Contestant | None:
    return min(contenders, key=lambda one: one.figures["hot_minutes"].mean, default=None)


def _minutes(count: float) -> str:
    return f"{fmt.number(round(count))} node-minutes"
