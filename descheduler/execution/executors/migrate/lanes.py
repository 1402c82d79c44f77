"""How many migrations of ours may be under way at once: no more than KubeVirt itself runs, so that none waits there.

Sources: kubevirt pkg/virt-config/virt-config.go (ParallelMigrationsPerClusterDefault 5,
ParallelOutboundMigrationsPerNodeDefault 2); the KubeVirt object says otherwise in `spec.configuration.migrations`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from descheduler.apiwrite.transport import Transport
from descheduler.apiwrite.wire import Wire, decode
from descheduler.model.errors import ClusterError
from descheduler.model.virtual_machines import GROUP

PER_CLUSTER, PER_NODE = 5, 2


class _Migrations(Wire, frozen=True):
    parallel_migrations_per_cluster: int | None = None
    parallel_outbound_migrations_per_node: int | None = None


class _Configuration(Wire, frozen=True):
    migrations: _Migrations | None = None


class _Spec(Wire, frozen=True):
    configuration: _Configuration | None = None


class _Installation(Wire, frozen=True):
    spec: _Spec = _Spec()


class _List(Wire, frozen=True):
    items: tuple[_Installation, ...] | None = None


class Lanes:
    """Safe to share between threads."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._cluster: threading.Semaphore | None = None
        self._per_node = PER_NODE
        self._nodes: dict[str, threading.Semaphore] = {}

    @contextmanager
    def leaving(self, node: str) -> Iterator[None]:
        """Wait for a turn to migrate from the node, and keep it."""
        with self._lock:
            if self._cluster is None:
                in_all, self._per_node = _limits(self._transport)
                self._cluster = threading.Semaphore(in_all)
            cluster, here = self._cluster, self._nodes.setdefault(node, threading.Semaphore(self._per_node))
        with here, cluster:
            yield


def _limits(transport: Transport) -> tuple[int, int]:
    """In the cluster, and from one node; KubeVirt's defaults where it says nothing, or may not be asked."""
    try:
        found = decode(transport.request("GET", f"/apis/{GROUP}/v1/kubevirts"), _List).items or ()
    except ClusterError:
        found = ()
    written = [c.migrations for one in found if (c := one.spec.configuration) and c.migrations]
    in_all = [one.parallel_migrations_per_cluster for one in written if one.parallel_migrations_per_cluster]
    per_node = [one.parallel_outbound_migrations_per_node for one in written]
    return min(in_all, default=PER_CLUSTER), min(filter(None, per_node), default=PER_NODE)
