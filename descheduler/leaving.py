"""Before the program is uninstalled: its controller is stopped, and what a controller left in the cluster taken away.

A controller that stops cleans up after itself. What stays is what it keeps (ConfigMaps, the Lease, Recommendations),
and what one left that was killed, or switched to a dry run, in the middle of a move: a taint or cordon of ours on a
node, Reservations. All of it is known by its name, label or annotation; nothing else is touched. A unit that was
interrupted is not given up on: it must be finished by a controller in mode active first.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from urllib.parse import quote

from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.lease import Elector
from descheduler.apiwrite.transport import Transport, Unelected
from descheduler.apiwrite.wire import Meta, NodeState, Stub, Wire, decode, read_taint
from descheduler.apiwrite.writer import COMPONENT, MANAGED_BY, ClusterWriter, LeaseWriter, read_config_map
from descheduler.execution import intents
from descheduler.execution.cordons import CORDONED, Cordons
from descheduler.execution.executors import our_objects, reserve
from descheduler.execution.executors.surge import book
from descheduler.execution.steering import Steering
from descheduler.learning import store as ledger
from descheduler.model.errors import Conflict, DeschedulerError, NotFound
from descheduler.model.nodes import VACATING
from descheduler.publish import recommendations

DEPLOYMENT = LEASE = "descheduler"
"""Names of the controller's, as the manifests and the chart have them."""
_RECOMMENDATIONS = f"/apis/{recommendations.API_VERSION}"
_PAGE = "500"


class Unfinished(DeschedulerError):
    """Something is under way that only a running controller can finish."""


class _ListMeta(Wire, frozen=True, rename={"next_page": "continue"}):
    next_page: str = ""


class _Nodes(Wire, frozen=True):
    metadata: _ListMeta = _ListMeta()
    items: tuple[NodeState, ...] = ()


class _Stubs(Wire, frozen=True):
    items: tuple[Stub, ...] = ()


class _Replicas(Wire, frozen=True):
    replicas: int = 0


class _Scale(Wire, frozen=True):
    metadata: Meta = Meta()
    spec: _Replicas = _Replicas()


def leave(
    transport: Transport, namespace: str, clock: Clock, rng: Random, *, force: bool = False, patience: float = 120.0
) -> Iterator[str]:
    """Stop the controller of this namespace, and take everything of ours away; a line for each thing that is gone.

    It leads meanwhile, so that nobody else writes, and waits up to `patience` seconds for that.

    Raises:
        Unfinished: a controller still leads, or a unit was interrupted (and not `force`).
        ClusterError: the cluster refuses; what was told is gone. LeadershipLost likewise.
    """
    lease = LeaseWriter(transport, namespace, LEASE)
    elector = Elector(lease, f"{COMPONENT}-clean-up_{uuid.uuid4()}", clock, rng)
    anybody = ClusterWriter(transport, Unelected())
    if _stop_controller(anybody, namespace):
        yield f"replicas of Deployment {namespace}/{DEPLOYMENT}"
    with _leading(elector, clock, patience):
        yield from _take_away(ClusterWriter(transport, elector), namespace, force=force)
    if (kept := lease.read()) is not None:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{LEASE}"
        yield from _delete(anybody, path, kept.metadata, "Lease")


def _stop_controller(writer: ClusterWriter, namespace: str) -> bool:
    """Scale its Deployment to nothing; False where there is nothing to stop."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{DEPLOYMENT}"
    try:
        scale = decode(writer.transport.request("GET", f"{path}/scale"), _Scale)
    except NotFound:
        return False
    if scale.spec.replicas:
        writer.scale(path, scale.metadata.uid, scale.spec.replicas, 0)
    return scale.spec.replicas > 0


@contextmanager
def _leading(elector: Elector, clock: Clock, patience: float) -> Iterator[None]:
    """Lead, once no controller does; then none will write again."""
    until = clock.steady() + patience
    while not elector.step():
        if clock.steady() >= until:
            raise Unfinished(elector.problem or f"{elector.holder} still leads: stop the controller first")
        clock.sleep(1.0)
    over = threading.Event()
    renewing = threading.Thread(target=elector.run, args=(over,), name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join(5.0)


def _take_away(writer: ClusterWriter, namespace: str, *, force: bool) -> Iterator[str]:
    if not force:
        _nothing_open(writer.transport, namespace)
    for node in _nodes(writer.transport):
        name = node.metadata.name
        if any(read_taint(taint).key == VACATING.key for taint in node.spec.taints or ()):
            Steering(writer).untaint(name)
            yield f"taint {VACATING.key} of node {name}"
        if CORDONED in (node.metadata.annotations or {}):
            Cordons(writer).uncordon(name)
            yield f"cordon of node {name}"
    for found in _ours(writer.transport, reserve.PATH, our_objects.INTENT):
        yield from _delete(writer, f"{reserve.PATH}/{quote(found.name)}", found, "Reservation")
    for found in _ours(writer.transport, f"{_RECOMMENDATIONS}/{recommendations.COLLECTION}"):
        folder = f"{_RECOMMENDATIONS}/namespaces/{found.namespace}/{recommendations.COLLECTION}"
        yield from _delete(writer, f"{folder}/{quote(found.name)}", found, "Recommendation")
    for config_map in (intents.NAME, book.SURGES, ledger.NAME):
        kept = read_config_map(writer.transport, namespace, config_map)
        if kept is not None:
            path = f"/api/v1/namespaces/{namespace}/configmaps/{config_map}"
            yield from _delete(writer, path, kept.metadata, "ConfigMap")


def _nothing_open(transport: Transport, namespace: str) -> None:
    for config_map in (intents.NAME, book.SURGES):
        kept = read_config_map(transport, namespace, config_map)
        if kept is not None and kept.data:
            raise Unfinished(
                f"{len(kept.data)} units are not finished (ConfigMap {namespace}/{config_map}): run the controller in "
                "mode active until it is empty, or add --force to forget them"
            )


def _nodes(transport: Transport) -> Iterator[NodeState]:
    query = {"limit": _PAGE}
    while True:
        page = decode(transport.request("GET", "/api/v1/nodes", query=query), _Nodes)
        yield from page.items
        if not page.metadata.next_page:
            return
        query["continue"] = page.metadata.next_page


def _ours(transport: Transport, path: str, *labels: str) -> tuple[Meta, ...]:
    """Objects of an optional kind that carry our label; none where it is not served."""
    query = {"labelSelector": ",".join((f"{MANAGED_BY}={COMPONENT}", *labels))}
    try:
        return tuple(found.metadata for found in decode(transport.request("GET", path, query=query), _Stubs).items)
    except NotFound:
        return ()


def _delete(writer: ClusterWriter, path: str, found: Meta, kind: str) -> Iterator[str]:
    with suppress(NotFound, Conflict):  # gone, or another object by now
        writer.delete(path, found.uid)
        yield f"{kind} {found.namespace + '/' if found.namespace else ''}{found.name}"
