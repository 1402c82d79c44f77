"""How evenly CPU and memory are used counts as the cluster's own release of the scheduler counts it."""

from __future__ import annotations

import numpy as np
import pytest

from builders import cluster, node, pod, spec
from descheduler.contract import Scenario
from descheduler.model.release import Release
from descheduler.scheduler import prepare
from descheduler.scheduler.balance import Balance


def score(release: str, capacity: tuple[int, int], used: tuple[int, int], requests: tuple[int, int]) -> int:
    room = np.array([capacity], np.int64)
    return int(Balance.of(Release.parse(release)).scores(room, room - np.array([used]), requests)[0])


@pytest.mark.parametrize(
    ("used", "requests", "before", "since"),
    [
        ((0, 0), (3000, 5000), 87, 68),  # 75 % and 50 %: 1 - 0.125, which is worse than the empty node was
        ((3000, 0), (0, 7500), 100, 94),  # the pod makes even what was not
        ((0, 0), (2000, 5000), 100, 75),  # even before and after
        ((4000, 0), (4000, 0), 50, 75),  # more than all counts as all: nothing changes
    ],
)
def test_until_1_35_it_counts_how_even_a_node_is_then_and_since_1_36_what_the_pod_changes(
    used: tuple[int, int], requests: tuple[int, int], before: int, since: int
) -> None:
    for release in ("v1.29.0", "1.32", "v1.33.4-eks-99d6cc0", "v1.35.2+k3s1"):
        assert score(release, (4000, 10_000), used, requests) == before
    for release in ("v1.36.3", "1.37", ""):  # one that is not known counts as the newest that is
        assert score(release, (4000, 10_000), used, requests) == since


def test_pods_that_ask_for_nothing_are_scored_until_1_32_alone() -> None:
    assert score("v1.32.8", (4000, 10_000), (3000, 5000), (0, 0)) == 87
    assert [score(at, (4000, 10_000), (3000, 5000), (0, 0)) for at in ("v1.33.0", "v1.35.0", "v1.36.0")] == [0, 0, 0]


def test_a_node_without_one_of_the_two_is_even() -> None:
    assert (score("1.35", (4000, 0), (0, 0), (1000, 0)), score("1.36", (4000, 0), (0, 0), (1000, 0))) == (100, 75)


@pytest.mark.parametrize(("release", "chosen"), [("v1.35.0", "even"), ("v1.36.0", "uneven")])
def test_the_release_decides_where_a_pod_is_expected(release: str, chosen: str) -> None:
    """Both nodes are as full: one is even and is so no more with the pod, the other was less even without it."""
    nodes = [node("even", cpu="10", memory="10G"), node("uneven", cpu="10", memory="10G")]
    others = [pod("a", cpu="5", memory="5G", node="even"), pod("b", cpu="9", memory="1G", node="uneven")]
    waiting = pod("p", of=spec("100m", "2G"))
    snapshot = cluster(nodes, [*others, waiting], release=Release.parse(release))
    state = Scenario({}, prepare(snapshot).what_if())
    assert nodes[state.landing(snapshot.pod_index["default", "p"], -1)[0][0]].name == chosen


@pytest.mark.parametrize("text", ["", "unknown", "1", "v1", "1.x", "v99999.1"])
def test_what_is_no_version_is_none(text: str) -> None:
    assert Release.parse(text) is None
