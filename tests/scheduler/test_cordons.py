"""A state that cordons nodes: nobody is put there, but for those who tolerate it, until it does no more."""

from __future__ import annotations

import numpy as np

from builders import cluster, node, pod, spec
from descheduler.model.pods import PodSpec, Toleration
from descheduler.scheduler import Predicate, WhatIf, prepare


def leaving(of: PodSpec) -> WhatIf:
    state = prepare(cluster([node("n1"), node("n2")], [pod("web-1", node="n1", of=of)])).what_if()
    state.remove(0)
    return state


def test_who_left_does_not_come_back() -> None:
    state = leaving(spec())
    assert state.fits(0).tolist() == [True, True]
    state.cordon([0])
    assert state.fits(0).tolist() == [False, True]
    assert state.fits(0, np.array([0], np.int32)).tolist() == [False]
    assert state.likely(0) == ((1, 1.0),)
    assert state.verdicts(0).tolist() == [Predicate.UNSCHEDULABLE, Predicate.OK]
    assert state.fork().fits(0).tolist() == [False, True]
    state.cordon(())
    assert state.fits(0).tolist() == [True, True]


def test_who_tolerates_it_does() -> None:
    state = leaving(spec(tolerations=(Toleration("node.kubernetes.io/unschedulable", "Exists", "", "NoSchedule"),)))
    state.cordon([0])
    assert state.fits(0).tolist() == [True, True]
