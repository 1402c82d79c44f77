"""The Lease elector: protocol, clocks, fence."""

from __future__ import annotations

import json
import threading
import time
from random import Random
from typing import Any

import pytest

from controlplane.cluster import ControlPlane
from descheduler.apiwrite.lease import Elector, Timing
from descheduler.apiwrite.writer import ClusterWriter, LeaseWriter
from descheduler.kube.client.answers import error_of
from descheduler.model.errors import LeadershipLost, Unreachable
from execution.fakes import Time
from execution.live import REAL, client_of

PATH = "/apis/coordination.k8s.io/v1/namespaces/default/leases/descheduler"


class LeaseServer:
    """One Lease with the API server's optimistic concurrency."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.down = False

    def request(self, method: str, path: str, body: bytes | None = None, **_: object) -> bytes:
        if self.down:
            raise Unreachable("down")
        if method == "GET":
            if self.lease is None:
                raise error_of(404, b"", method, path)
            return json.dumps(self.lease).encode()
        sent = json.loads(body or b"")
        version = sent["metadata"].get("resourceVersion", "")
        if version != (str(self.version) if self.lease else ""):
            raise error_of(409, b"", method, path)
        self.version += 1
        sent["metadata"]["resourceVersion"] = str(self.version)
        self.lease = sent
        return json.dumps(sent).encode()

    def elector(self, name: str, of: Time) -> Elector:
        return Elector(LeaseWriter(self, "default", "descheduler"), name, of.clock, Random(0))


def test_the_first_leads_and_the_second_waits() -> None:
    server, clock = LeaseServer(), Time()
    a, b = server.elector("a", clock), server.elector("b", clock)
    assert a.step()
    assert not b.step()
    assert b.holder == "a"
    a.check()
    with pytest.raises(LeadershipLost, match="b does not lead; a does"):
        b.check()


def test_a_dead_leader_is_replaced_after_the_lease_as_observed_here() -> None:
    server, clock = LeaseServer(), Time()
    a, b = server.elector("a", clock), server.elector("b", clock)
    a.step()
    clock.pass_(100)  # b has not looked yet: it cannot know how long a has been silent
    assert not b.step()
    clock.pass_(14.9)
    assert not b.step()
    clock.pass_(0.2)
    assert b.step()
    assert server.lease
    assert server.lease["spec"]["leaseTransitions"] == 1
    assert not a.step()


def test_a_leader_that_renews_is_not_replaced_however_its_clock_reads() -> None:
    server, theirs, ours = LeaseServer(), Time(), Time()
    a, b = server.elector("a", theirs), server.elector("b", ours)
    theirs.set_wall(0.0)  # a's wall clock is wrong by decades
    for _ in range(30):
        assert a.step()
        assert not b.step()
        theirs.pass_(2)
        ours.pass_(2)
    assert server.lease
    assert server.lease["spec"]["leaseTransitions"] == 0


def test_the_fence_closes_before_anybody_else_can_lead() -> None:
    server, clock = LeaseServer(), Time()
    a = server.elector("a", clock)
    a.step()
    server.down = True
    clock.pass_(9.9)
    assert a.step()
    clock.pass_(0.1)
    assert not a.leading  # without another step: time alone closes it
    with pytest.raises(LeadershipLost):
        a.check()
    assert a.problem == "down"


def test_a_wall_clock_that_jumps_changes_nothing() -> None:
    server, clock = LeaseServer(), Time()
    a, b = server.elector("a", clock), server.elector("b", clock)
    a.step()
    b.step()
    clock.set_wall(4_000_000_000.0)
    assert a.step()
    assert not b.step()


def test_a_released_lease_is_taken_at_once() -> None:
    server, clock = LeaseServer(), Time()
    a, b = server.elector("a", clock), server.elector("b", clock)
    a.step()
    b.step()
    a.release()
    assert not a.leading
    assert b.step()
    assert b.term == 1


def test_term_counts_wins_not_renewals() -> None:
    server, clock = LeaseServer(), Time()
    a = server.elector("a", clock)
    for _ in range(3):
        a.step()
        clock.pass_(2)
    assert a.term == 1
    clock.pass_(20)
    a.step()
    assert a.term == 2


def test_of_two_that_write_at_once_one_wins() -> None:
    server, clock = LeaseServer(), Time()
    a, b = server.elector("a", clock), server.elector("b", clock)
    read = server.request

    def b_is_quicker(method: str, path: str, body: bytes | None = None, **rest: object) -> bytes:
        if method == "POST":
            server.request = read  # type: ignore[method-assign]
            assert b.step()
        return read(method, path, body, **rest)

    server.request = b_is_quicker  # type: ignore[method-assign]
    assert not a.step()
    assert b.leading


def test_on_a_real_lease_one_leads_and_the_deposed_one_writes_nothing(control_plane: ControlPlane) -> None:
    timing = Timing(lease=2, renew_deadline=1.2, retry=0.2)
    connection = client_of(control_plane)
    electors = [
        Elector(LeaseWriter(connection, "default", "descheduler"), name, REAL, Random(i), timing)
        for i, name in enumerate(("a", "b"))
    ]
    stops = [threading.Event(), threading.Event()]
    threads = [threading.Thread(target=e.run, args=(s,), name=e.identity) for e, s in zip(electors, stops, strict=True)]
    for thread in threads:
        thread.start()
    wait = control_plane.client.wait_for
    try:
        wait(lambda: any(e.leading for e in electors), what="a leader")
        leader = next(e for e in electors if e.leading)
        other = next(e for e in electors if e is not leader)
        time.sleep(1.0)  # several rounds of both
        assert leader.leading
        assert not other.leading

        control_plane.client.patch("Lease", "descheduler", {"spec": {"holderIdentity": "c"}})
        wait(lambda: not leader.leading, what="the leader to notice")
        writer = ClusterWriter(connection, leader)
        with pytest.raises(LeadershipLost):
            writer.evict("default", "any", "uid")
        wait(lambda: any(e.leading for e in electors), timeout=10, what="a leader after c went silent")
        assert sum(e.leading for e in electors) == 1
    finally:
        for stop, thread in zip(stops, threads, strict=True):
            stop.set()
            thread.join(5)
    assert control_plane.client.get("Lease", "descheduler")["spec"].get("holderIdentity", "") == ""
    assert control_plane.client.get("Lease", "descheduler")["spec"]["leaseTransitions"] >= 1
