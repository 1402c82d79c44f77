"""Our predicates and the real kube-scheduler agree on small random clusters, and the predicted node is mostly right."""

from __future__ import annotations

from agreement.compare import run
from controlplane.cluster import ControlPlane

CASES = 440


def test_ours_and_the_real_scheduler_agree(control_plane: ControlPlane) -> None:
    tally = run(control_plane, CASES, seed=20_261)
    assert tally.cases >= CASES
    assert [str(d) for d in tally.unexplained] == []
    assert tally.placed > CASES // 4
    assert tally.cases - tally.placed > CASES // 8
    rate = tally.hit_rate()
    assert rate is not None
    assert rate >= 0.9, tally.misses
