"""Paged lists: `limit` and `continue`, and what to do when the snapshot that is being paged through expires."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Protocol, TypeVar

from descheduler.kube.client.connection import KubeClient
from descheduler.kube.convert.decoding import Codec, Items
from descheduler.model.errors import Gone

LIMIT = 500  # client-go's pager
_RESTARTS = 2


class Gather(Protocol):
    """Takes the pages of one consistent list."""

    def page(self, items: Items) -> None: ...


G = TypeVar("G", bound=Gather)


def read_list(client: KubeClient, codec: Codec, gather: Callable[[], G], *, limit: int = LIMIT) -> tuple[G, str]:
    """All objects of a kind at one resource version, fed page by page to what `gather` makes; and that version.

    A list that expires between two pages (410) starts again with a fresh gatherer, at last in one piece: to go on
    with the token that the error offers would mix two instants, and a watch could not start from either.

    Raises: ClusterError and its kinds.
    """
    for attempt in range(_RESTARTS + 1):
        into = gather()
        try:
            return into, _pages(client, codec, into, limit if attempt < _RESTARTS else 0)
        except Gone:
            if attempt == _RESTARTS:
                raise
    raise AssertionError("unreachable")


def _pages(client: KubeClient, codec: Codec, into: Gather, limit: int) -> str:
    """Convert each page while the next one is on its way."""
    query: dict[str, str] = {"limit": str(limit)} if limit else {}
    path = codec.endpoint.path
    data = client.get(path, query)
    with ExitStack() as stack:
        ahead: Executor | None = None
        while True:
            following: Future[bytes] | None = None
            with _uncollected():
                items = codec.page(data)
                metadata = items.metadata
                if metadata.token:
                    if ahead is None:  # most kinds fit on one page and need no thread
                        ahead = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="kube-page"))
                    following = ahead.submit(client.get, path, {**query, "continue": metadata.token})
                into.page(items)
                del items, data
            if following is None:
                return metadata.resource_version
            data = following.result()


@contextmanager
def _uncollected() -> Iterator[None]:
    """No cyclic garbage collection for the milliseconds that one page takes.

    Its tens of thousands of short-lived objects have no cycles, but would grow old enough to set off full collections
    of everything, a quarter of the time of a large list. Threads that do this at once only shorten it for one another.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
