"""Puts the controller together and runs it until SIGTERM or SIGINT.

Threads: the loop (the caller's), `lease`, `web` and those that work for it (`page_…`), one for each kind that is
watched and one that looks for kinds (`kube-…`), and, while a wave is under way, those that evict (`evict_…`).
"""

from __future__ import annotations

import random
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import structlog

from descheduler import __version__
from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.lease import Elector
from descheduler.apiwrite.transport import Leadership, Unelected
from descheduler.apiwrite.writer import NAMESPACE, ClusterWriter, LeaseWriter
from descheduler.archive.choosing import place_of
from descheduler.archive.keeper import Keeper
from descheduler.archive.reading import Reader
from descheduler.console.answering import Console
from descheduler.controller.access import Gate
from descheduler.controller.certificates import Certificates, SelfSigned, Serving
from descheduler.controller.deciding import Deciding
from descheduler.controller.events import Events
from descheduler.controller.listener import LOOPBACK, WebServer, in_cluster, of_this_machine_only
from descheduler.controller.loop import Controller, Seams
from descheduler.controller.metrics import Metrics
from descheduler.controller.options import RunOptions as RunOptions
from descheduler.controller.pauses import unsynced
from descheduler.controller.reload import PolicyWatch
from descheduler.controller.reports import Reports
from descheduler.controller.status import Status
from descheduler.controller.switch import PolicyMap, Switch
from descheduler.controller.web import Render, create_app
from descheduler.execution.directions import unproved
from descheduler.execution.intents import IntentStore
from descheduler.execution.runner import PlanRunner
from descheduler.kube.client.cache import ClusterCache
from descheduler.kube.client.connection import KubeClient, connect
from descheduler.kube.client.credentials import own_namespace
from descheduler.learning.store import LedgerStore
from descheduler.model.directing import installed
from descheduler.model.errors import DeschedulerError, UsageError
from descheduler.model.landing_mode import LandingWish
from descheduler.model.plan import PlanDocument
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe import Source, observe
from descheduler.observe.history import HistoryReader
from descheduler.observe.live import FreshSnapshots, WatchedCluster
from descheduler.policy import Policy
from descheduler.publish.published import Published
from descheduler.publish.recommendations import served

log = structlog.get_logger(__name__)


def _as_they_are(seams: Seams) -> Seams:
    return seams


def run_controller(
    options: RunOptions,
    *,
    stop: threading.Event | None = None,
    started: Callable[[int], None] | None = None,
    render: Render | None = None,
    seams: Callable[[Seams], Seams] = _as_they_are,
) -> int:
    """Run until asked to stop; the exit code: 0 after a clean stop, 1 when it could not start.

    What goes wrong later pauses it, with a reason that /readyz tells. `stop` ends it from another thread, `started`
    hears the port, `render` makes the pages, `seams` may put other parts in the place of the pipeline's.
    """
    stop = stop or threading.Event()
    try:
        with ExitStack() as stack:
            # First of all: a SIGTERM while things start must give back the lease too.
            if threading.current_thread() is threading.main_thread():
                stack.enter_context(_signals(stop))
            controller = assembled(options, stack, started, render, seams)
            log.info("started", version=__version__)
            if options.once:
                return 0 if controller.run_once(stop) else 1
            controller.run(stop)
    except DeschedulerError as error:
        log.error("cannot start", error=str(error))
        return 1
    log.info("stopped")
    return 0


def assembled(
    options: RunOptions,
    stack: ExitStack,
    started: Callable[[int], None] | None = None,
    render: Render | None = None,
    seams: Callable[[Seams], Seams] = _as_they_are,
) -> Controller:
    """Everything but the loop, started; `stack` ends it in the reverse order. The rest is as for `run_controller`."""
    rng = random.Random()  # jitter and names of events
    metrics, status = Metrics(), Status(time.monotonic, wall=time.time)
    kept = place_of(options.archive) if options.archive else None
    reader = Reader(kept) if kept else None
    reports = Reports(older=reader.older) if reader else Reports()
    clock = _beating(status)
    watch = PolicyWatch(options.policy, clock.wall, options.changed, lenient=options.lenient)
    client = connect(options.kubeconfig, options.context)
    stack.callback(client.close)
    gate = Gate(client, clock.steady, partial(status.note, "authentication")) if options.authenticate else None
    local = not in_cluster() and of_this_machine_only(options.host or LOOPBACK)
    app = create_app(
        status,
        reports,
        metrics,
        render or _report_page,
        gate,
        Console(reader, lambda: status.ready.text),
        local_names=local,
        with_metrics=options.metrics,
    )
    web = WebServer(app, options.host, options.port, _certificates(options, status, metrics))
    web.start()
    stack.callback(web.stop)
    if started is not None:
        started(web.port)
    cache = ClusterCache(client, clock=clock.wall, rng=rng)
    cache.start()
    stack.callback(cache.stop)
    namespace = options.namespace or own_namespace(NAMESPACE)
    identity = f"{socket.gethostname()}_{uuid.uuid4()}"
    elector = _elect(options, stack, client, namespace, identity, clock, rng) if options.leader_elect else None
    leadership: Leadership = elector or Unelected()
    writer = ClusterWriter(client, leadership, identity)
    history = HistoryReader(options.prometheus, options.store, clock.wall, rng, status.beat, _kept(status, metrics))
    stack.callback(history.close)
    archive = Keeper(kept, _archived(status, metrics)) if kept else None
    if archive is not None:
        stack.callback(archive.stop)
    source = Source(WatchedCluster(cache, clock.wall), history)
    snapshots = FreshSnapshots(cache, lambda: watch.policy, status.beat)
    published = Published(metrics.registry, served(client, writer), lambda: elector is None or elector.leading)
    deciding = Deciding(partial(observe, source), published, clock.wall, metrics.keeps)
    real = Seams(
        unsynced=lambda: unsynced(cache.freshness()),
        observe=partial(observe, source),
        decide=deciding,
        revalidate=deciding.again,
        renew=deciding.renew,
        settle=deciding.settle,
        unproved=partial(_unproved, writer, namespace),
    )
    return Controller(
        watch=watch,
        seams=seams(real),
        runner=PlanRunner(writer, IntentStore(writer, namespace), snapshots.take, clock, rng),
        ledgers=LedgerStore(writer, namespace),
        elector=elector,
        reports=reports,
        metrics=metrics,
        status=status,
        events=Events(writer, metrics, clock, rng),
        clock=clock,
        switch=Switch(options.mode, options.policy, _policy_map(options, client, namespace)),
        archive=archive,
    )


def _unproved(writer: ClusterWriter, namespace: str, policy: Policy, snapshot: ClusterSnapshot) -> str:
    """Why landing cannot be directed though the policy would have it; asked only where it is installed."""
    wanted = policy.acting.landing in (LandingWish.AUTO, LandingWish.DIRECTED)
    return unproved(writer, namespace) if wanted and installed(snapshot) else ""


def _beating(status: Status) -> Clock:
    """Real time; a wait of the runner is a sign of life."""

    def sleep(seconds: float) -> None:
        status.beat()
        time.sleep(seconds)
        status.beat()

    return Clock(time.time, time.monotonic, sleep)


def _elect(
    options: RunOptions,
    stack: ExitStack,
    client: KubeClient,
    namespace: str,
    identity: str,
    clock: Clock,
    rng: random.Random,
) -> Elector:
    """The elector in its thread; the lease is given up when the loop, which alone writes, has ended."""
    writer = LeaseWriter(client, options.lease_namespace or namespace, options.lease)
    elector = Elector(writer, identity, clock, random.Random(rng.random()), options.lease_timing)
    over = threading.Event()
    thread = threading.Thread(target=elector.run, args=(over,), name="lease", daemon=True)

    def end() -> None:
        over.set()
        thread.join(5.0)

    stack.callback(end)
    elector.step()
    thread.start()
    return elector


def _kept(status: Status, metrics: Metrics) -> Callable[[str], None]:
    """Tells where people look whether the history can be kept on disk."""

    def told(problem: str) -> None:
        if problem:
            log.error("history cannot be kept over a restart", problem=problem)
        status.note("store", problem)
        metrics.store_ok.set(not problem)

    return told


def _archived(status: Status, metrics: Metrics) -> Callable[[str], None]:
    """Tells where people look whether plans are kept on disk."""

    def told(problem: str) -> None:
        status.note("archive", problem)
        metrics.archive_ok.set(not problem)

    return told


def _certificates(options: RunOptions, status: Status, metrics: Metrics) -> Serving | None:
    def told(problem: str) -> None:
        status.note("certificate", problem)
        metrics.certificate_ok.set(not problem)

    if options.certificate is None or options.key is None:
        if options.certificate != options.key:
            raise UsageError("--tls-cert-file and --tls-private-key-file are given together")
        return SelfSigned() if options.self_signed else None
    return Certificates(options.certificate, options.key, told)


def _policy_map(options: RunOptions, client: KubeClient, namespace: str) -> PolicyMap | None:
    return PolicyMap(client, namespace, options.config_map) if options.config_map else None


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT ask for a clean stop; what was there before comes back afterwards."""

    def asked(number: int, _: object) -> None:
        log.info("asked to stop", signal=signal.Signals(number).name)
        stop.set()

    before = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report_page(document: PlanDocument) -> str:
    from descheduler.report.html import to_html  # with it come libraries that draw: half a second, and only for pages

    return to_html(document)
