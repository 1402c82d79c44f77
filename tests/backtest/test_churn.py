"""Others replace pods, too, while a descheduler is at work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from builders import owner, pod
from descheduler.backtest.contender import Nobody
from descheduler.backtest.walk import Rules, walk
from worlds import machines, using


def test_pods_that_others_replace_land_where_the_scheduler_puts_them_and_are_nobodys_evictions() -> None:
    pods = [pod(f"w{i}-1", cpu="1", node="first") for i in range(6)]
    pods.append(pod("agent-1", node="first", owners=[owner("DaemonSet", "agent")]))
    world = using(machines("first", "second"), pods, {one.name: 1.0 for one in pods}, steps=12)
    calm = Rules({"cpu": np.full(2, 0.75, np.float32)})
    before = walk(world, Nobody(), calm)
    done = walk(world, Nobody(), replace(calm, churn=1.0))
    assert (before.cluster.nodes == 0).all()
    assert 0 < (done.cluster.nodes == 1).sum() <= 6
    assert done.cluster.name(int(done.cluster.nodes[0])) == "first"  # the DaemonSet's
    assert done.score.evictions == done.score.ping_pong == 0
    assert (walk(world, Nobody(), replace(calm, churn=1.0)).cluster.nodes == done.cluster.nodes).all()
