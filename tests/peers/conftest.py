"""The other servers as fixtures. They are had only for the asking (``make test-peers``): building them takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from peers.servers import STARTS, Peer


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Peer]]:
    """Start a server by its kind, with series and flags; it runs until the end of the module."""
    started: list[Peer] = []

    def begin(kind: str, series: Any, *flags: str) -> Peer:
        peer = STARTS[kind](list(series), tmp_path_factory.mktemp(kind), flags)
        started.append(peer)
        return peer

    yield begin
    for peer in started:
        peer.stop()
