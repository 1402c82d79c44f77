"""Two clusters behind each server are told apart, two replicas are one, and two queries are joined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from descheduler.observe.history import owners
from descheduler_profiling.history.collect import collect_with_notes
from descheduler_profiling.history.pods_here import pods_here
from descheduler_profiling.series import History
from history.fleet import DB, PODS, SIGNALS, cadvisor, snapshot
from history.world import DAY, NOW, cpu_counter, times
from peers.servers import STARTS, Peer
from peers.world import asking

AT = times(DAY)


def read(peer: Peer, match: str = "") -> History:
    known = snapshot()
    with asking(peer) as client:
        made = collect_with_notes(
            *(client, [SIGNALS["cpu"]]),
            now=NOW,
            window_seconds=DAY,
            match=match,
            owner_of=owners(known),
            here=pods_here(known),
        )
    return made.histories["cpu"]


@pytest.mark.parametrize("kind", STARTS)
def test_two_clusters_are_told_and_one_that_is_chosen_is_read(start: Callable[..., Peer], kind: str) -> None:
    peer = start(kind, [*cadvisor(AT, k8s_cluster="a"), *cadvisor(AT, "b", 4.0, k8s_cluster="b")])
    assert "told apart by the label k8s_cluster: a (6 series), b (6 series)" in read(peer).problems[0]
    chosen = read(peer, 'k8s_cluster="a"')
    assert chosen.complete, chosen.problems
    np.testing.assert_allclose(chosen.values[chosen.keys.index(DB)], 2.0, rtol=0.03)


@pytest.mark.parametrize("kind", STARTS)
def test_two_replicas_are_one_cluster_and_pods_without_labels_of_containers_are_joined(
    start: Callable[..., Peer], kind: str
) -> None:
    labelled = [pod for pod in PODS if pod != ("shop", "db-1")]
    series = [*cadvisor(AT, pods=labelled), cpu_counter("shop", "db-1", AT, 3.0, container="", image="", node="n2")]
    doubled = [
        replace(one, labels={**one.labels, "prometheus_replica": name}) for name in ("p-0", "p-1") for one in series
    ]
    history = read(start(kind, doubled))
    assert history.complete, history.problems
    np.testing.assert_allclose(history.values[history.keys.index(DB)], 2.5, rtol=0.03)
