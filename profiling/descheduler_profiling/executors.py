"""Where chunks of series are profiled: here, in local processes, or on a Dask cluster.

Work is independent by chunk, so an executor is one ordered `map`. A chunk is a few hundred rows: it fits the cache,
bounds the memory, and makes the cost of sending it negligible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
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
    """The default: one chunk after the other, in this process."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        return map(function, tasks)

    def __enter__(self) -> InProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class Processes:
    """Local worker processes, started afresh (`spawn`) so that threads and locks of the controller stay out."""

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise UsageError(f"processes: {workers} workers; at least one is needed")
        self._pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        self._ahead = 2 * workers

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        waiting = []
        for task in tasks:
            waiting.append(self._pool.submit(function, task))
            if len(waiting) >= self._ahead:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)


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
    """`inline`, `processes:N`, `dask:N`, or `dask:tcp://host:port`."""
    name, _, rest = text.partition(":")
    if name == "inline" and not rest:
        return InProcess()
    if name == "dask" and "://" in rest:
        return Dask(address=rest)
    if name in {"processes", "dask"} and (rest or "1").isdigit():
        count = int(rest or "1")
        return Processes(count) if name == "processes" else Dask(count)
    raise UsageError(f"unknown executor {text!r}: inline, processes:N, dask:N or dask:tcp://HOST:PORT")
