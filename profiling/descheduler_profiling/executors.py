"""Where chunks of series are profiled: here, in threads or processes of this machine, or on a Dask cluster.

Work is independent by chunk, so an executor is one ordered `map`. A chunk is a few hundred rows: it fits the cache,
bounds the memory, and makes the cost of sending it negligible.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar

from descheduler.model.errors import UsageError

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
    """One chunk after the other, in this thread."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        return map(function, tasks)

    def __enter__(self) -> InProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class Threads:
    """Threads of this process: arrays let go of the interpreter while they are computed, and nothing is copied."""

    def __init__(self, workers: int) -> None:
        self._workers = _some(workers, "threads")

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        with ThreadPoolExecutor(self._workers, thread_name_prefix="profiles") as pool:
            yield from _ahead(pool, 2 * self._workers, function, tasks)

    def __enter__(self) -> Threads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class Processes:
    """Local worker processes, started afresh (`spawn`) so that threads and locks of the controller stay out."""

    def __init__(self, workers: int) -> None:
        self._workers = _some(workers, "processes")
        self._pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        return _ahead(self._pool, 2 * self._workers, function, tasks)

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)


def _some(workers: int, kind: str) -> int:
    if workers < 1:
        raise UsageError(f"{kind}: {workers} workers; at least one is needed")
    return workers


def _ahead(pool: Executor, most: int, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """Results in order, with at most so many tasks on their way."""
    waiting = []
    for task in tasks:
        waiting.append(pool.submit(function, task))
        if len(waiting) >= most:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


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


def local() -> ChunkRunner:
    """The default: all cores that this process is granted."""
    cores = granted_cores()
    return Threads(cores) if cores > 1 else InProcess()


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
    """`local` (the default), `inline`, `threads:N`, `processes:N`, `dask:N`, or `dask:tcp://host:port`."""
    name, _, rest = text.partition(":")
    if name in {"local", "inline"} and not rest:
        return local() if name == "local" else InProcess()
    if name == "dask" and "://" in rest:
        return Dask(address=rest)
    kinds: dict[str, Callable[[int], ChunkRunner]] = {"threads": Threads, "processes": Processes, "dask": Dask}
    if name in kinds and (rest or "1").isdigit():
        return kinds[name](int(rest or "1"))
    raise UsageError(
        f"unknown executor {text!r}: local, inline, threads:N, processes:N, dask:N or dask:tcp://HOST:PORT"
    )
