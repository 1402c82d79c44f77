"""Where chunks of series are profiled: here, in local processes, or on a Dask cluster.

Work is independent by chunk, so an executor is one ordered `map`. A chunk is a few hundred rows: it fits the cache,
bounds the memory, and makes the cost of sending it negligible.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Protocol, TypeVar

from descheduler.model.errors import UsageError
from descheduler_profiling.worker import Worker, WorkerLost

MOST = 4  # processes that are started unless more are asked for: each takes some 100 MB
FEW = 16  # chunks, with a few seconds of work

Task = TypeVar("Task")
Result = TypeVar("Result")
Answer = TypeVar("Answer", covariant=True)


class ChunkRunner(Protocol):
    """Runs a module-level function over tasks; results come back in the order of the tasks."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]: ...

    def __enter__(self) -> ChunkRunner: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class InProcess:
    """One chunk after the other, in this process."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        return map(function, tasks)

    def __enter__(self) -> InProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class Processes:
    """Local worker processes, started afresh so that threads and locks of the controller stay out.

    What a worker that is lost was to do is done here. Raises OSError where no process can be started.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise UsageError(f"processes: {workers} workers; at least one is needed")
        self._workers = [Worker() for _ in range(workers)]
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers:
            self._free.put(worker)
        self._askers = ThreadPoolExecutor(workers, thread_name_prefix="worker")

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        waiting = []
        for task in tasks:
            waiting.append(self._askers.submit(self._ask, function, task))
            if len(waiting) >= 2 * len(self._workers):
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()

    def _ask(self, function: Callable[[Task], Result], task: Task) -> Result:
        worker = self._free.get()
        try:
            return worker.run(function, task)
        except WorkerLost:
            return function(task)
        finally:
            self._free.put(worker)

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._askers.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.end(at_once=error is not None)


class Local:
    """All cores that this process is granted: many chunks are shared among processes, a few are done here, for
    processes take a second to start. Threads would not do: they wait for one another's interpreter."""

    def __init__(self, cores: int = 0) -> None:
        self._cores = min(cores or granted_cores(), MOST)

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        coming = iter(tasks)
        first = list(islice(coming, FEW + 1))
        alone = self._cores == 1 or len(first) <= FEW
        with InProcess() if alone else _processes(self._cores) as runner:
            yield from runner.map(function, chain(first, coming))

    def __enter__(self) -> Local:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class Counted:
    """Another runner, which it leaves open; `told` hears after each task how many are done of all that were given."""

    def __init__(self, runner: ChunkRunner, told: Callable[[int], None]) -> None:
        self._runner = runner
        self._told = told
        self._done = 0

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        for result in self._runner.map(function, tasks):
            self._done += 1
            self._told(self._done)
            yield result

    def __enter__(self) -> Counted:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def _processes(workers: int) -> ChunkRunner:
    try:
        return Processes(workers)
    except OSError:  # a sandbox where that is not allowed
        return InProcess()


def granted_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """CPUs that this process may use: by its affinity, and by the quota of its control group (v2: cgroups(7))."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    try:
        allowed, period = quota.read_text().split()
        cores = min(cores, math.ceil(int(allowed) / int(period)))
    except (OSError, ValueError):  # no such file, or "max"
        pass
    return max(1, cores)


class _Future(Protocol[Answer]):
    def result(self) -> Answer: ...


class _Client(Protocol):
    """What we use of distributed.Client, which carries no types."""

    def submit(self, function: Callable[[Task], Result], task: Task, *, pure: bool) -> _Future[Result]: ...

    def scheduler_info(self) -> dict[str, dict[str, object]]: ...

    def close(self) -> None: ...


class Dask:
    """A Dask cluster: `address` of a scheduler, or a LocalCluster of so many single-threaded worker processes."""

    def __init__(self, workers: int = 0, address: str = "") -> None:
        try:
            connect: Callable[..., _Client] = import_module("distributed").Client
        except ImportError as error:
            raise UsageError("dask is not installed: pip install 'descheduler[dask]'") from error
        if address:
            self._client = connect(address)
        else:
            self._client = connect(
                n_workers=max(1, workers), threads_per_worker=1, processes=True, dashboard_address=None
            )
        self._ahead = 2 * max(1, workers, len(self._client.scheduler_info().get("workers", {})))

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        waiting = []
        for task in tasks:
            # pure=False: two chunks with equal values are still two chunks, and nothing is hashed.
            waiting.append(self._client.submit(function, task, pure=False))
            if len(waiting) >= self._ahead:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()

    def __enter__(self) -> Dask:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()


def executor(text: str) -> ChunkRunner:
    """`local`, `inline`, `processes:N`, `dask:N`, or `dask:tcp://host:port`."""
    name, _, rest = text.partition(":")
    if name in {"local", "inline"} and not rest:
        return Local() if name == "local" else InProcess()
    if name == "dask" and "://" in rest:
        return Dask(address=rest)
    if name in {"processes", "dask"} and (rest or "1").isdigit():
        count = int(rest or "1")
        return Processes(count) if name == "processes" else Dask(count)
    raise UsageError(f"unknown executor {text!r}: local, inline, processes:N, dask:N or dask:tcp://HOST:PORT")
