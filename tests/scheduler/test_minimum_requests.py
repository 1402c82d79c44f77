"""What a pod counts as in scores when its containers ask for nothing."""

from __future__ import annotations

from builders import cluster, node, pod, spec
from descheduler.model.pods import PodSpec
from descheduler.scheduler.scoring import MINIMUM, nonzero_requests


def counts_as(of: PodSpec) -> list[int]:
    snapshot = cluster([node("n1")], [pod("a-1", node="n1", of=of)])
    (row,) = nonzero_requests(snapshot.columns).tolist()
    return list(row)


def test_what_was_counted_container_by_container_is_used() -> None:
    assert counts_as(PodSpec(counted=(300, 600 << 20))) == [300, 600 << 20]
    assert counts_as(spec("50m", "1Mi", counted=(150, 201 << 20))) == [150, 201 << 20]


def test_without_it_a_pod_counts_as_one_container() -> None:
    assert counts_as(PodSpec()) == list(MINIMUM)
    assert counts_as(spec("50m", "")) == [50, MINIMUM[1]]
