"""The signals of the history: which queries answer, how fresh it is and how far back it reaches, whom it covers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from descheduler.doctor.checks import Check, Verdict, failure, ok, warning
from descheduler.doctor.coverage import Coverage, coverage_of
from descheduler.doctor.given import Given
from descheduler.model.format import percent, plural, span
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.signals import queried, relied_on, wanted_signals
from descheduler.planning.context import PoolRule
from descheduler.policy.history_source import history_signals, measured_by
from descheduler_profiling.history.absence import setting, why_absent
from descheduler_profiling.history.grid import LAG, window
from descheduler_profiling.history.outside_queries import RESOURCE
from descheduler_profiling.history.pods_here import pods_here
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.measurers import find_sources
from descheduler_profiling.history.prometheus.probe import Prober, Tried
from descheduler_profiling.history.replicas import REPLICAS
from descheduler_profiling.history.signals import Signal, builtin_signals
from descheduler_profiling.history.sources import Sources
from descheduler_profiling.history.update import rate_window
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History

AREA = "history"
_LONG = 0.9  # of the window, from which history reaches back far enough


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of the signals: histories, profiles of them, and the query that was chosen for each."""

    histories: Mapping[str, History]
    profiles: Mapping[str, SignalProfiles]
    queries: Mapping[str, str]


def queries(client: HistoryClient, snapshot: ClusterSnapshot, given: Given) -> Iterator[Check]:
    """Every query of every signal that is wanted, with the number of series that it has now and had at the start.

    Raises HistoryError when the server stops answering.
    """
    policy = given.policy.history
    step = int(policy.step.total_seconds())
    grid = window(given.now(), int(policy.window.total_seconds()), step, LAG)
    prober = Prober(client, grid, rate_window(step), policy.match)
    needed = relied_on(given.policy)
    wanted = history_signals(policy, wanted_signals(given.policy, snapshot), queried(given.policy))
    written, here = measured_by(policy), pods_here(snapshot)
    sources = find_sources(client, wanted.values(), grid, policy.match, written, here=here)
    yield from measurers(sources, written)
    for name, template in wanted.items():
        if not template.queries:
            continue
        given.stages.note(name)
        signal = sources.of(template)
        tried = prober.tried(signal)
        if any(one.now for one in tried):
            yield ok(AREA, f"{name} queries", _answering(tried), map(_line, tried))
            continue
        why = why_absent(client, signal, grid.end, policy.match) or "; ".join(_refusals(tried))
        text = f"none of its {plural(len(tried), 'query', 'queries')} answers: {why or 'the server has no such series'}"
        yield _lacking(signal, text, map(_line, tried), needed=name in needed)


def measurers(sources: Sources, written: Mapping[str, str]) -> Iterator[Check]:
    """Whose series of each kind are read, and whose are not."""
    for kind, pin in sources.pins.items():
        subject, others = f"who measures {kind}", [f"{count} by {name}" for name, count in pin.left_out]
        if pin.sure:
            how = "by the policy" if kind in written else "found by its names"
            yield ok(AREA, subject, f"only {pin.matchers} ({how})", (f"left out: {one}" for one in others))
        elif others or pin.matchers:
            who = pin.matchers or "anybody"
            mend = f"name who is to be believed in history.sources.{kind}: matchers of job, metrics_path or namespace"
            yield warning(AREA, subject, f"{who}, which a tenant could have named so, too", mend, others)


def signals(read: Read, snapshot: ClusterSnapshot, given: Given) -> Iterator[Check]:
    """What was read of each signal, and what is wrong with it, as the histories themselves say it."""
    needed = relied_on(given.policy)
    for name, history in sorted(read.histories.items()):
        optional = history.absent and name not in needed
        for problem in history.problems:
            yield _problem(name, problem, optional=optional)
        if not history.keys or optional or name == REPLICAS:
            continue
        yield from _times(name, history, snapshot, given)
        yield _covered(name, coverage_of(snapshot, read.profiles[name], _pools(given), of_gpus=_of_gpus(name)), given)
        if read.queries.get(name):
            yield ok(AREA, f"{name} query", "is read by the query below", [read.queries[name]])
    for name in RESOURCE:
        if name not in read.histories:
            yield ok(AREA, name, _without(name, "nobody recorded it"))


def _lacking(signal: Signal, text: str, details: Iterator[str], *, needed: bool) -> Check:
    if needed:
        mend = f"see above what is missing; {setting(signal)} holds the query"
        return failure(AREA, f"{signal.name} queries", text, mend, details)
    return ok(AREA, f"{signal.name} queries", _without(signal.name, text), details)


def _problem(name: str, problem: str, *, optional: bool) -> Check:
    return ok(AREA, name, _without(name, problem)) if optional else failure(AREA, name, problem)


def _without(name: str, problem: str) -> str:
    """What it means that the server has no series of an optional signal."""
    text = f"optional, and not there: {problem}"
    if name not in RESOURCE:
        return text
    return f"{text}. What nodes use outside of pods is taken to keep to what is kept back for it (docs/profiles.md)"


def _answering(tried: tuple[Tried, ...]) -> str:
    best = max(one.now for one in tried)
    count = sum(one.now > 0 for one in tried)
    answer = "answers" if count == 1 else "answer"
    return (
        f"{count} of {plural(len(tried), 'query', 'queries')} {answer}, with up to {plural(best, 'series', 'series')}"
    )


def _line(one: Tried) -> str:
    said = one.refusal or f"{one.now} series now, {one.then} at the start of the window"
    return f"{said}: {one.text}"


def _refusals(tried: tuple[Tried, ...]) -> list[str]:
    return list(dict.fromkeys(one.refusal for one in tried if one.refusal))


def _times(name: str, history: History, snapshot: ClusterSnapshot, given: Given) -> Iterator[Check]:
    """The newest point against the allowed age, the oldest one against the window."""
    there = np.flatnonzero(np.isfinite(history.values).any(axis=0))
    if not there.size:
        return
    newest, oldest = (history.start + int(there[at]) * history.step for at in (-1, 0))
    age, most = snapshot.taken_at - newest, given.policy.history.max_staleness.total_seconds()
    text = f"the newest point is {span(abs(age))} {'old' if age >= 0 else 'from the future'}"
    if abs(age) > most:
        mend = "is scraping broken, or are recording rules late? history.maxStaleness says how old it may be"
        yield failure(AREA, f"{name} freshness", text, mend)
    else:
        yield ok(AREA, f"{name} freshness", text)
    reach, wanted = newest - oldest + history.step, given.policy.history.window.total_seconds()
    text = f"reaches back {span(reach)} of the {span(wanted)} that are wanted"
    if reach >= _LONG * wanted:
        yield ok(AREA, f"{name} reach", text)
    else:
        mend = "forecasts are as sure as they can be from that: more comes with time, or with a longer retention"
        yield warning(AREA, f"{name} reach", text, mend)


def _covered(name: str, found: Coverage, given: Given) -> Check:
    least = given.policy.history.min_coverage
    pools = ", ".join(f"{pool} {percent(share)}" for pool, share in found.pools.items())
    text = f"{percent(found.share)} of {plural(found.pods, 'pod')} that run have history"
    text += f"; by requests in each pool: {pools}" if pools else ""
    judged = name in ("cpu", "memory") and found.share < least
    mend = f"see which queries answer for which nodes; history.minCoverage wants {percent(least)}"
    if judged:
        return failure(AREA, f"{name} coverage", text, mend)
    thin = any(share < least for share in found.pools.values())
    verdict = Verdict.WARNING if thin else Verdict.OK
    return Check(AREA, f"{name} coverage", verdict, text, mend if thin else "")


def _pools(given: Given) -> tuple[PoolRule, ...]:
    return tuple(PoolRule(pool.name, dict(pool.node_selector)) for pool in given.policy.pools)


def _of_gpus(name: str) -> bool:
    builtin = builtin_signals().get(name)
    return builtin is not None and builtin.of_gpus
