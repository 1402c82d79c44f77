"""One signal brought up to date: the last hour by pod, then every hole of the window.

Where the last hour is another than it was a cycle ago, all that is kept is in doubt: the window is read again, and the
history is not complete until the server says the same twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from descheduler.model.arrays import Floats32
from descheduler.model.errors import HistoryError, HistoryRefused
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history import outside, plausible, standstill
from descheduler_profiling.history.absence import why_absent, why_unnamed
from descheduler_profiling.history.agreement import LATE_COLUMNS, EarlierAnswer
from descheduler_profiling.history.align import Oddities, to_matrix
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.moving import memory_moves
from descheduler_profiling.history.owners import Owners
from descheduler_profiling.history.past_owners import learn_owners
from descheduler_profiling.history.pods_here import PodsHere
from descheduler_profiling.history.prometheus.chunks import Hole, RangeReader
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.joining import joined, parts
from descheduler_profiling.history.prometheus.probe import Bulk, Choice, NoSeries, Prober
from descheduler_profiling.history.prometheus.wire import QueryAnswer
from descheduler_profiling.history.replicas import TOLD_BY_CONTROLLERS, count_past, count_rows
from descheduler_profiling.history.ring import Ring
from descheduler_profiling.history.rollup import group, reduce_rows
from descheduler_profiling.history.signals import Query, Signal, render
from descheduler_profiling.history.sources import EVERYBODY, Sources
from descheduler_profiling.history.standstill import Standstill
from descheduler_profiling.history.weighing import weigh
from descheduler_profiling.settings import DAY, HOUR

RECENT_SECONDS = HOUR
_SHORTEST_WINDOW = 300  # rate() needs four scrapes of a minute
_OTHERWISE = (
    "says otherwise of the last hour than it did before: all of it is read again, and relied on once it says the same"
)


class Unnamed(HistoryRefused):
    """There are series, and none has the labels by which a signal tells them apart."""


@dataclass(slots=True)
class Notes:
    """How a signal's history was come by. `problems` forbid acting on it, `remarks` do not."""

    signal: str
    query: str = ""
    bulk_query: str = ""
    rebuilt: str = ""
    absent: bool = False  # the server was asked in good order, and has no series of it
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    oddities: Oddities = field(default_factory=Oddities)
    standing_still: dict[tuple[str, str], str] = field(default_factory=dict)  # pods whose counters do, by node
    columns_read: int = 0
    align_seconds: float = 0.0
    append_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Recent:
    """The last hour of single pods: `values` [P, R] as the server gives them, on the last columns of the window."""

    pods: list[tuple[str, str]]
    keys: list[WorkloadKey]
    values: Floats32


@dataclass(frozen=True, slots=True)
class Task:
    """One signal to be read from one server."""

    client: HistoryClient
    signal: Signal
    grid: Grid
    owners: Owners
    notes: Notes
    match: str
    here: PodsHere | None = None
    sources: Sources = EVERYBODY
    counts: Ring | None = None  # where it is kept how many pods of each workload are measured
    heard: Callable[[int], None] = lambda columns: None  # how many columns have been read so far

    @property
    def window_seconds(self) -> int:
        return rate_window(self.grid.step)


def rate_window(step: int) -> int:
    """Seconds over which a rate is taken, for points so many seconds apart."""
    return max(step, _SHORTEST_WINDOW)


def update(task: Task, ring: Ring) -> Recent | None:
    """Fill `ring`; the last hour by pod, or None if it could not be read: the notes then say why."""
    for key in ring.keys:
        task.owners.learn(key)
    most = plausible.most(task.here, task.signal.name)
    prober = Prober(task.client, task.grid, task.window_seconds, task.match, most)
    earlier = EarlierAnswer(ring, _recent_columns(task))
    try:
        choice = _known(task, ring) or prober.choose(task.signal)
        recent, holes = _read_recent(task, choice, ring)
        if not recent.pods and not holes and ring.query:
            choice = prober.choose(task.signal)  # e.g. an exporter was upgraded and has new names
            recent, holes = _read_recent(task, choice, ring)
        if not recent.pods and not holes and choice.query.shape == "outside":
            raise NoSeries(f"no series of signal {task.signal.name} can be used")
        wider = weigh(task.signal, choice, prober, ring, _measured(recent), task.here, task.owners)
        widened = wider != choice
        if widened:
            choice = wider
            recent, holes = _read_recent(task, choice, ring)
        ring.query = task.notes.query = choice.text
        before = ring.grid.count - recent.values.shape[1]
        still = _standstill(task, choice, ring, recent)
        if widened and ring.read[:before].any():
            ring.read[:before] = False  # what it measures more was there before, too
        elif earlier.differs(ring):
            ring.read[:before] = False
            task.notes.problems.append(f"{task.client.connection.name} {_OTHERWISE}")
        past = ring.unread(before)
        if past:
            holes += _read_past(task, prober, choice, ring, past, still)
            _correct(task, ring, recent, still)
    except (NoSeries, Unnamed) as error:
        task.notes.absent = isinstance(error, NoSeries)
        explain = why_absent if task.notes.absent else why_unnamed
        why = explain(task.client, task.signal, task.grid.end, task.match)
        task.notes.problems.append(f"{error}; {why}" if why else str(error))
        return None
    except HistoryError as error:
        task.notes.problems.append(str(error))
        return None
    _tell_holes(task, holes)
    return recent


def _standstill(task: Task, choice: Choice, ring: Ring, recent: Recent) -> Standstill | None:
    """Watches the counters that may stand still; what is known to do so is no measurement any more."""
    if task.here is None or task.signal.name != standstill.SIGNAL or choice.query.shape != "pod":
        return None

    def moving(pods: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        return memory_moves(task.client, pods, task.grid.end, task.match, task.sources)

    still = Standstill(task.here, task.grid, recent.pods, recent.keys, recent.values, moving)
    _correct(task, ring, recent, still)
    return still


def _correct(task: Task, ring: Ring, recent: Recent, still: Standstill | None) -> None:
    if still is not None:
        task.notes.standing_still = still.correct(ring, recent.pods, recent.values)


def _measured(recent: Recent) -> list[tuple[str, str]]:
    """The pods with a sample in the newest columns."""
    heard = np.isfinite(recent.values[:, -LATE_COLUMNS:]).any(axis=1)
    return [recent.pods[row] for row in np.flatnonzero(heard).tolist()]


def _recent_columns(task: Task) -> int:
    return min(task.grid.count, max(1, RECENT_SECONDS // task.grid.step))


def _known(task: Task, ring: Ring) -> Choice | None:
    """The query that answered last time, if the signal still has it."""
    made = parts(task.signal, ring.query, task.window_seconds, task.match) if ring.query else ()
    return Choice(joined(made), ring.query, len(ring.keys)) if made else None


def _read_recent(task: Task, choice: Choice, ring: Ring) -> tuple[Recent, list[Hole]]:
    """The last hour, always asked for again: late samples arrive, and single pods' levels are wanted."""
    count = _recent_columns(task)
    part = task.grid.part(task.grid.count - count, count)
    found: dict[tuple[str, str], int] = {}
    names: list[WorkloadKey] = []
    values = np.full((0, count), np.nan, np.float32)

    def sink(columns: Grid, answer: QueryAnswer) -> None:
        nonlocal values
        named, keys, matrix = _named(task, choice.query, columns, answer)
        _write(task, ring, columns, keys, matrix, answer, of_pods=choice.query.shape == "pod")
        new = [at for at in zip(named, keys, strict=True) if at[0] not in found]
        for name, key in new:
            found[name] = len(found)
            names.append(key)
        values = np.concatenate([values, np.full((len(new), count), np.nan, np.float32)])
        first = part.column(columns.start)
        values[[found[name] for name in named], first : first + columns.count] = matrix

    holes = RangeReader(task.client, choice.text, choice.series).read([part], sink)
    return Recent(list(found), names, values), holes


def _read_past(
    task: Task, prober: Prober, choice: Choice, ring: Ring, past: list[Grid], still: Standstill | None
) -> list[Hole]:
    wanted = sum(run.count for run in past)
    bulk = Bulk(choice.query, choice.text, choice.series)
    if wanted > RECENT_SECONDS // task.grid.step:
        bulk = prober.bulk(task.signal, choice, wanted)
        if bulk.query.shape not in ("node", "outside"):
            days = range(task.grid.end, past[0].start, -DAY)
            task.notes.remarks += learn_owners(task.client, task.owners, days, task.match, task.sources)
    task.notes.bulk_query = bulk.text

    def sink(columns: Grid, answer: QueryAnswer) -> None:
        named, keys, matrix = _named(task, bulk.query, columns, answer)
        _write(task, ring, columns, keys, matrix, answer, of_pods=bulk.query.shape == "pod")
        if still is not None and bulk.query.shape == "pod":
            still.note(columns, named, keys, matrix)

    if bulk.query.shape == "workload" and task.counts is not None:
        asked = render(task.sources.fill(TOLD_BY_CONTROLLERS), 0, task.match)
        count_past(task.client, task.counts, task.owners, asked, task.grid.count - _recent_columns(task))
    return RangeReader(task.client, bulk.text, bulk.series).read(past, sink)


def _named(
    task: Task, query: Query, columns: Grid, answer: QueryAnswer
) -> tuple[list[tuple[str, str]], list[WorkloadKey], Floats32]:
    """Names, workloads and aligned values [P, T] of an answer; series of the same name count once.

    Raises:
        Unnamed: there are series, and none has the labels by which this signal tells them apart.
    """
    begun = task.client.stopwatch()
    if query.shape == "outside":
        return _outside(task, columns, answer)
    labels = (query.name,) if query.shape == "node" else (query.namespace, query.name)
    series = [one for one in answer.series if all(one.labels.get(label) for label in labels)]
    if answer.series and not series:
        raise Unnamed(
            f"the query of signal {task.signal.name} returns series without the labels {', '.join(labels)}: "
            "change the query"
        )
    of_workloads = query.shape == "workload"
    most = plausible.most(task.here, task.signal.name) if of_workloads else task.signal.ceiling
    matrix, oddities = to_matrix(series, columns, min(most, task.signal.ceiling))
    names = [
        (one.labels.get(query.namespace, ""), one.labels[query.name], one.labels.get(query.kind, "")) for one in series
    ]
    distinct, index = group(names)
    if len(distinct) != len(names):
        matrix = reduce_rows(matrix, index, len(distinct), "max")
    named = [(namespace, name) for namespace, name, _ in distinct]
    if query.shape == "pod":
        matrix, glitches = plausible.bounded(task.here, task.signal.name, named, columns, task.window_seconds, matrix)
        oddities += Oddities(absurd=glitches)
    task.notes.oddities += oddities
    keys = _keys(task.owners, query, distinct)
    task.notes.align_seconds += task.client.stopwatch() - begun
    return named, keys, matrix


def _outside(
    task: Task, columns: Grid, answer: QueryAnswer
) -> tuple[list[tuple[str, str]], list[WorkloadKey], Floats32]:
    """The same of an answer in two parts."""
    matrix, oddities = to_matrix(answer.series, columns, task.signal.ceiling)
    task.notes.oddities += oddities
    nodes, values = outside.of_nodes(task.signal.name, answer.series, matrix, task.here)
    return [("", node) for node in nodes], [WorkloadKey("", "Node", node) for node in nodes], values


def _keys(owners: Owners, query: Query, names: list[tuple[str, str, str]]) -> list[WorkloadKey]:
    if query.shape == "pod":
        return owners.pods((namespace, name) for namespace, name, _ in names)
    if query.shape == "node":
        return [WorkloadKey("", "Node", name) for _, name, _ in names]
    return [owners.workload(namespace, kind, name) for namespace, name, kind in names]


def _write(
    task: Task,
    ring: Ring,
    columns: Grid,
    keys: list[WorkloadKey],
    matrix: Floats32,
    answer: QueryAnswer,
    *,
    of_pods: bool,
) -> None:
    begun = task.client.stopwatch()
    distinct, index = group(keys)
    rolled = reduce_rows(matrix, index, len(distinct), task.signal.aggregation)
    ring.write(columns, distinct, rolled, whole=not answer.partial)
    if task.counts is not None and of_pods:
        task.counts.write(columns, distinct, count_rows(matrix, index, len(distinct)), whole=not answer.partial)
    task.notes.columns_read += columns.count
    task.heard(task.notes.columns_read)
    for warning in answer.partial:
        problem = f"{task.client.connection.name} answers in part only: {warning}"
        if problem not in task.notes.problems:
            task.notes.problems.append(problem)
    for info in answer.infos:
        if info not in task.notes.remarks:
            task.notes.remarks.append(info)
    task.notes.append_seconds += task.client.stopwatch() - begun


def _tell_holes(task: Task, holes: list[Hole]) -> None:
    """One problem for each reason, with how much it costs."""
    lost: dict[str, int] = {}
    for hole in holes:
        lost[str(hole.error)] = lost.get(str(hole.error), 0) + hole.grid.count
    task.notes.problems.extend(
        f"{count} of {task.grid.count} steps of signal {task.signal.name} could not be read: {reason}"
        for reason, count in lost.items()
    )
