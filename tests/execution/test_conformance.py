"""Every installed executor, built-in or not, keeps what the runner, the planner and the manifests rely on."""

from __future__ import annotations

from random import Random

import pytest

from builders import NOW, cluster, node, pod
from descheduler.apiwrite.rate_limit import RateLimit
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.contract import EXECUTORS
from descheduler.execution.executors.protocol import ActingTools
from descheduler.execution.executors.registry import choose
from descheduler.execution.intents import Intent
from descheduler.execution.limits import ExecutionLimits
from descheduler.kube.convert.kinds import KINDS
from descheduler.model.landing_mode import LandingMode
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import Freshness
from descheduler.policy.acting import ActingPolicy
from execution.fakes import Fence, Time
from execution.plans import action, move
from execution.test_runner import Server, ids

every = pytest.mark.parametrize("name", sorted(EXECUTORS.available()))


@every
def test_it_says_what_it_is(name: str) -> None:
    chosen = choose(name)
    assert chosen.executor.name == name
    assert chosen.executor.landing in (LandingMode.RESERVED, LandingMode.PREDICTED)
    assert set(chosen.executor.kinds) <= set(KINDS)
    assert len({*chosen.executor.rights}) == len(chosen.executor.rights) > 0
    assert chosen.args == type(chosen.args)()


@every
def test_what_it_refuses_is_a_value_and_always_the_same(name: str) -> None:
    pods = [pod("web-1", node="n1"), pod("bare", node="n1", owners=())]
    fresh = {kind: Freshness(kind, NOW) for kind in choose(name).executor.kinds}
    says = [choose(name).filter(cluster([node("n1")], pods, freshness=fresh)) for _ in range(2)]
    for one in pods:
        first, second = (None if refuses is None else refuses(one) for refuses in says)
        assert first == second
        assert first is None or (isinstance(first, Blocked) and first.reason is Reason.EXECUTOR)


@every
def test_an_action_of_which_nothing_was_prepared_can_be_released_and_twice(name: str) -> None:
    server, time = Server(*ids("a-1")), Time()
    limits = ExecutionLimits.of(ActingPolicy())
    rate = RateLimit(limits.rate, limits.burst, time.clock)
    tools = ActingTools(
        ClusterWriter(server, Fence()), rate, time.clock, Random(0), limits, lambda: None, "descheduler"
    )
    mover = choose(name).mover(tools)
    intent = Intent.of("p", action(move("a-1"), executor=name), 1.0)
    for _ in range(2):
        mover.release([intent], [])
    assert not mover.disrupted(move("a-1"))
    assert mover.disrupted(move("a-2"))
    assert (server.evicted, server.maps) == ([], {})
