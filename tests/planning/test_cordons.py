"""Actions that cordon nodes: proved without them, and in no wave with those whose pods are to land there."""

from __future__ import annotations

from builders import cluster, node, pod
from descheduler.contract import StrategyArgs
from descheduler.planning import ChosenStrategy
from planning.proposing import Proposing
from strategies.balancing import UNLIMITED, high, made


def test_who_lands_on_a_node_that_was_emptied_waits_until_it_is_open_again() -> None:
    nodes = [node(name, cpu="10", memory="64Gi") for name in "abc"]
    pods = [pod(f"web-{i}", cpu="1", node="a") for i in range(2)]
    pods += [pod(f"api-{i}", cpu="1", node="b") for i in range(5)]
    pods += [pod(f"busy-{i}", cpu="1", node="c") for i in range(9)]
    later = ChosenStrategy(Proposing((("busy-0", ()),)), StrategyArgs())
    plan = made(cluster(nodes, pods), high(cordon=True), later, settings=UNLIMITED)
    assert plan.landed == {"web-0": "b", "web-1": "b", "busy-0": "a"}
    first, second = plan.document.actions
    assert (first.cordon, second.cordon) == (("a",), ())
    assert first.wave < second.wave
