"""All signals, once in full and then by appending: what the controller calls in each cycle.

For each signal: choose the query (again only when it stops answering), read the last hour pod by pod (late samples
overwrite what was there, and the pods' own levels come with it), then fill every column of the window that was not
read whole before. A column that stays unread is a hole: the history is not complete, says so, and the next cycle asks
again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from descheduler.model.errors import HistoryError, HistoryRefused
from descheduler_profiling.history import strain
from descheduler_profiling.history.defaults import STEP
from descheduler_profiling.history.grid import LAG, Grid, window
from descheduler_profiling.history.owners import OwnerOf, Owners
from descheduler_profiling.history.pods_here import PodsHere
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.clusters import Clusters, clusters_behind
from descheduler_profiling.history.prometheus.failures import TooMuch
from descheduler_profiling.history.prometheus.joining import parts
from descheduler_profiling.history.prometheus.measurers import find_sources
from descheduler_profiling.history.prometheus.probe import hello
from descheduler_profiling.history.replicas import COUNTED, REPLICAS, forget_constant, replicas_of
from descheduler_profiling.history.ring import Ring
from descheduler_profiling.history.signals import Signal
from descheduler_profiling.history.sources import EVERYBODY, Sources
from descheduler_profiling.history.store import HistoryStore
from descheduler_profiling.history.update import Notes, Task, rate_window, update
from descheduler_profiling.history.view import to_history
from descheduler_profiling.series import History, empty

Progress = Callable[[float, float], None]
"""Called with how many signals have been read, a part of one among them, and how many there are to read."""

_SKEW = 5.0  # a Date header has whole seconds, and an answer takes time


@dataclass(frozen=True, slots=True)
class Collection:
    """What one cycle collected: a history for each signal, how it was come by, and who measures."""

    histories: dict[str, History]
    notes: dict[str, Notes] = field(default_factory=dict)
    sources: Sources = EVERYBODY


def no_owner(namespace: str, pod: str) -> None:
    """For callers without a cluster: every workload is told by the names of its pods."""


def collect(
    client: HistoryClient,
    signals: Mapping[str, Signal] | Iterable[Signal],
    *,
    now: float,
    window_seconds: int,
    step: int = STEP,
    owner_of: OwnerOf = no_owner,
    previous: HistoryStore | None = None,
    match: str = "",
    here: PodsHere | None = None,
    measured_by: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, History]:
    """The aligned history of each signal on one clock; see `collect_with_notes`."""
    return collect_with_notes(
        client,
        signals,
        now=now,
        window_seconds=window_seconds,
        step=step,
        owner_of=owner_of,
        previous=previous,
        match=match,
        here=here,
        measured_by=measured_by,
    ).histories


def _known(store: HistoryStore, signal: Signal, print_: str, grid: Grid, step: int, match: str) -> tuple[Ring, Notes]:
    """What earlier cycles read of a signal by the same query of the same series, else an empty window, and why."""
    loaded = store.load(signal.name, print_)
    noted = Notes(signal.name, rebuilt=loaded.reason)
    ring = loaded.ring.moved_to(grid) if loaded.ring is not None else Ring.empty(grid)
    if ring.query and not parts(signal, ring.query, rate_window(step), match):
        ring, noted.rebuilt = Ring.empty(grid), "others measure it than before"
    return ring, noted


def collect_with_notes(
    client: HistoryClient,
    signals: Mapping[str, Signal] | Iterable[Signal],
    *,
    now: float,
    window_seconds: int,
    step: int = STEP,
    owner_of: OwnerOf = no_owner,
    previous: HistoryStore | None = None,
    match: str = "",
    here: PodsHere | None = None,
    measured_by: Mapping[str, str] = MappingProxyType({}),
    progress: Progress = lambda done, signals: None,
) -> Collection:
    """Read what is missing and return the whole window.

    `owner_of(namespace, pod)` names the topmost controller of a pod that exists, None for others. `previous` holds
    what earlier cycles read and is added to. `match` is laid into every built-in query (`cluster="a"`). `here` knows
    what pods can use at most, and which should be measured. `measured_by`: matchers of those whose series count, by
    kind (`sources.FOUND`); who is not named there is found.

    Where the server mixes several clusters, nothing is read of the signals that are mixed: what is kept stays clean.

    A signal that cannot be read, or not wholly, is returned as far as it is known, with `complete=False` and its
    problems.

    Raises:
        HistoryUnreachable, HistoryRefused: the server cannot be used at all, and nothing is known from earlier.
    """
    asked = list(signals.values() if isinstance(signals, Mapping) else signals)
    store = previous if previous is not None else HistoryStore(None)
    try:
        hello(client, int(now))
    except HistoryError as error:
        return _from_store(client, asked, store, error, window(now, window_seconds, step, LAG), owner_of, match)
    behind = max(0.0, -client.skew) if abs(client.skew) > _SKEW else 0.0
    grid = window(now, window_seconds, step, LAG + behind)
    clock_problem = _clock_problem(client.skew, step)
    owners = Owners(owner_of)
    histories: dict[str, History] = {}
    notes: dict[str, Notes] = {}
    try:
        sources = find_sources(client, asked, grid, match, measured_by, store.measurers, here)
    except HistoryError as error:
        return _from_store(client, asked, store, error, grid, owner_of, match)
    clusters, problem, remark = _clusters(client, grid.end, match, owners, sources)
    counted = next((one for one in asked if one.name == REPLICAS and not one.queries), None)
    wanted = [template for template in asked if template is not counted]
    for at, template in enumerate(wanted):
        progress(at, len(wanted))
        print_ = fingerprint(client, template, step, match)
        signal = sources.of(template)
        ring, noted = _known(store, signal, print_, grid, step, match)
        noted.problems.extend(filter(None, (clock_problem, problem)))
        noted.remarks.extend([remark] if remark else [])
        notes[signal.name] = noted
        if clusters is not None and clusters.concerns(signal):
            noted.problems.append(clusters.text(client.connection.name, match))
            ring.settle()
            histories[signal.name] = to_history(signal, ring, None, owners, noted)
            continue
        counts = _counts(client, store, counted, grid, step, match) if counted and signal.name == COUNTED else None
        heard = partial(_part_of, progress, at, len(wanted), grid.count)
        task = Task(client, signal, grid, owners, noted, match, here, sources, counts, heard)
        histories[signal.name], repaired = _read(task, ring, store, print_, now)
        if counts is not None and counted is not None:
            forget_constant(counts)
            counts.settle()
            store.keep(counted.name, fingerprint(client, counted, step, match), counts, now=now, soon=repaired)
            histories[counted.name], notes[counted.name] = replicas_of(counted, counts), Notes(counted.name)
    return Collection(histories, notes, sources)


def _part_of(progress: Progress, at: int, signals: int, columns: int, read: int) -> None:
    """Tells of a signal of which so many of its columns have been read; some are read twice."""
    progress(at + min(1.0, read / columns), signals)


def _read(task: Task, ring: Ring, store: HistoryStore, print_: str, now: float) -> tuple[History, bool]:
    """The history of one signal, brought to its end and kept; and whether more was read than an ordinary cycle does."""
    signal, noted, here = task.signal, task.notes, task.here
    unread = int((~ring.read).sum())
    recent = update(task, ring)
    ring.settle()
    repaired = unread - int((~ring.read).sum()) > 1  # more than the one column of an ordinary cycle
    failed = store.keep(signal.name, print_, ring, now=now, soon=repaired)
    if failed:
        noted.remarks.append(failed)
    made = to_history(signal, ring, recent, task.owners, noted, here)
    if here is not None and signal.name in strain.SIGNALS and made.complete:
        strained = strain.strain_of(
            task.client, signal.name, task.grid.end, task.match, task.sources, task.owners, here
        )
        made = replace(made, strain=strained)
    return made, repaired


def _counts(client: HistoryClient, store: HistoryStore, counted: Signal, grid: Grid, step: int, match: str) -> Ring:
    return _known(store, counted, fingerprint(client, counted, step, match), grid, step, match)[0]


def _clusters(
    client: HistoryClient, at: int, match: str, owners: Owners, sources: Sources
) -> tuple[Clusters | None, str, str]:
    """The clusters that the server mixes, if it does; why that cannot be told now (a problem), or never (a remark)."""
    try:
        return clusters_behind(client, at, match, owners.present, sources), "", ""
    except HistoryError as error:
        text = f"whether {client.connection.name} holds several clusters is not known: {error}"
        # A server that never tells is relied on for what it does answer.
        return (None, "", text) if isinstance(error, HistoryRefused | TooMuch) else (None, text, "")


def fingerprint(client: HistoryClient, signal: Signal, step: int, match: str) -> str:
    """Names the question that a kept history answers: another server, tenant, query or step is another question."""
    connection = client.connection
    secret = {"authorization", "cookie", "x-api-key"}
    headers = sorted((k.lower(), v) for k, v in connection.headers.items() if k.lower() not in secret)
    question = repr((connection.name, sorted(connection.extra_params.items()), headers, signal, step, match))
    return hashlib.blake2b(question.encode(), digest_size=16).hexdigest()


def _clock_problem(skew: float, step: int) -> str:
    if abs(skew) <= step:
        return ""
    ahead = "ahead of" if skew > 0 else "behind"
    return f"the history server's clock is {abs(skew):.0f} s {ahead} ours: set the clocks right"


def _from_store(
    client: HistoryClient,
    signals: list[Signal],
    store: HistoryStore,
    error: HistoryError,
    grid: Grid,
    owner_of: OwnerOf,
    match: str,
) -> Collection:
    """What is known from earlier, marked as not to be acted upon; raises `error` when that is nothing."""
    owners = Owners(owner_of)
    histories: dict[str, History] = {}
    notes: dict[str, Notes] = {}
    known = False
    for signal in signals:
        loaded = store.load(signal.name, fingerprint(client, signal, grid.step, match))
        noted = Notes(signal.name, problems=[str(error)])
        if loaded.ring is not None:
            known = True
            ring = loaded.ring.moved_to(grid)
            ring.settle()
            histories[signal.name] = to_history(signal, ring, None, owners, noted)
        else:
            histories[signal.name] = empty(signal.name, signal.unit, grid.step, tuple(noted.problems))
        notes[signal.name] = noted
    if not known:
        raise error
    return Collection(histories, notes)
