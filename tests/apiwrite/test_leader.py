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


@pytest.mark.parametrize("skew", [-600.0, 600.0, -4e8, 4e8])
def test_a_holder_whose_clock_is_wrong_is_followed_like_any_other(skew: float) -> None:
    """Its times may lie in our past or future: it leads while it renews, and no longer than a lease after."""
    server, theirs, ours = LeaseServer(), Time(), Time()
    theirs.set_wall(theirs.clock.wall() + skew)
    a, b = server.elector("a", theirs), server.elector("b", ours)
    assert a.step()
    for _ in range(30):
        for clock in (theirs, ours):
            clock.pass_(2.0)
        assert a.step()
        assert not b.step()
    ours.pass_(14.0)
    assert not b.step()
    ours.pass_(2.0)
    assert b.step()
    theirs.pass_(16.0)
    assert not a.step()
    with pytest.raises(LeadershipLost):
        a.check()


def test_of_two_candidates_with_different_clocks_one_takes_a_dead_lease() -> None:
    server, dead = LeaseServer(), Time()
    server.elector("dead", dead).step()
    early, late = Time(), Time()
    early.set_wall(early.clock.wall() - 600)
    late.set_wall(late.clock.wall() + 600)
    candidates = [server.elector("early", early), server.elector("late", late)]
    for one in candidates:
        assert not one.step()
    early.pass_(15.1)
    late.pass_(15.1)
    assert [one.step() for one in candidates] == [True, False]


def test_who_only_labels_the_lease_keeps_no_dead_leader_alive() -> None:
    server, clock = LeaseServer(), Time()
    server.elector("a", clock).step()
    b = server.elector("b", clock)
    for _ in range(8):
        assert not b.step()
        clock.pass_(2.0)
        assert server.lease
        server.version += 1
        server.lease["metadata"] |= {"resourceVersion": str(server.version), "annotations": {"touched": str(clock)}}
    assert b.step()


def test_a_stolen_lease_ends_the_writes_of_whom_it_is_stolen_from() -> None:
    server, clock = LeaseServer(), Time()
    a = server.elector("a", clock)
    a.step()
    assert server.lease
    server.version += 1
    server.lease["metadata"]["resourceVersion"] = str(server.version)
    server.lease["spec"] |= {"holderIdentity": "thief", "renewTime": "1970-01-01T00:00:00.000000Z"}
    assert not a.step()
    with pytest.raises(LeadershipLost, match="a does not lead; thief does"):
        a.check()
    clock.pass_(15.1)
    assert a.step()  # it does not renew: its time of 1970 is no matter, nor would one of 2100 be


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"holderIdentity": None},
        {"holderIdentity": "a"},
        {"holderIdentity": "a", "leaseDurationSeconds": 0},
        {"holderIdentity": "a", "leaseDurationSeconds": -5, "renewTime": "tomorrow", "leaseTransitions": -1},
        {"holderIdentity": "a", "leaseDurationSeconds": 2**31 - 1},
    ],
)
def test_a_record_that_makes_little_sense_keeps_nobody_out_for_ever(spec: dict[str, Any]) -> None:
    server, clock = LeaseServer(), Time()
    server.version, server.lease = 1, {"metadata": {"name": "descheduler", "resourceVersion": "1"}, "spec": spec}
    b = server.elector("b", clock)
    taken = b.step()
    assert taken is not bool(spec.get("holderIdentity"))
    clock.pass_(3601.0)
    assert b.step()
    assert server.lease["spec"]["leaseDurationSeconds"] == 15


@pytest.mark.parametrize("spec", ["text", {"leaseDurationSeconds": "long"}, {"holderIdentity": ["a"]}])
def test_a_record_that_cannot_be_read_is_told_and_nobody_leads(spec: Any) -> None:
    server = LeaseServer()
    server.version, server.lease = 1, {"metadata": {"name": "descheduler", "resourceVersion": "1"}, "spec": spec}
    b = server.elector("b", Time())
    assert not b.step()
    assert "no Lease" in b.problem
    server.lease = None
    assert b.step()


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
