"""What strategies of broken rules propose in one plan is bounded, and what they leave for later is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from builders import cluster, node, pod
from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Among, Finding, Move, Observation, Proposal
from descheduler.model.reasons import Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.planning import ChosenStrategy
from descheduler_strategies.violations import answered, findings, named
from strategies.balancing import UNLIMITED, made


class Leaving:
    """All pods of n0 leave."""

    name: ClassVar[str] = "Leaving"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def propose(self, view: RebalanceView, _: StrategyArgs) -> Iterator[Proposal | Observation]:
        pods = np.flatnonzero((view.snapshot.columns.pod_node == 0) & [pod not in view.start.moved for pod in range(6)])
        pods = pods.astype(np.int32)
        about = findings(view, pods, self.name, "pods", lambda who, _: who)
        yield from answered(view, self.name, pods, about)


def test_no_more_than_so_many_units_go_in_one_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("descheduler_strategies.violations.MOST_PROPOSED", 4)
    pods = [pod(f"web-{i}", node="n0") for i in range(6)]
    chosen, held = ChosenStrategy(Leaving(), StrategyArgs()), replace(UNLIMITED, landing=LandingMode.RESERVED)
    found = made(cluster([node("n0"), node("n1")], pods), chosen, settings=held)
    assert len(found.gone) == 4
    (seen,) = found.outcome.observed.values()
    assert seen.blocked.reason is Reason.CYCLE_LIMIT


def test_names_are_counted_where_they_are_many() -> None:
    assert named(["b", "a", "a"]) == "a, b"
    assert named("abcde") == "a, b, c and 2 more"


class Promising:
    """`web-0` leaves, and only n2 will do."""

    name: ClassVar[str] = "Promising"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def propose(self, view: RebalanceView, _: StrategyArgs) -> Iterable[Proposal]:
        finding = Finding(self.name, Subject(SubjectKind.POD, "web-0"), "", 1.0, 0.0, "")
        only = Among(np.array([node.name == "n2" for node in view.snapshot.nodes], np.bool_))
        if view.movable[0] and not view.start.moved:
            yield Proposal(finding, (Move(0, 0, promise=only),), -1.0, 1e9)


@pytest.mark.parametrize(("busy", "gone"), [("n1", ["web-0"]), ("n2", [])])
def test_a_promise_is_kept_where_the_pod_will_probably_land(busy: str, gone: list[str]) -> None:
    pods = [pod("web-0", node="n0"), pod("x-0", node=busy, cpu="16"), pod("y-0", node="n0", cpu="24")]
    found = made(cluster([node("n0"), node("n1"), node("n2")], pods), ChosenStrategy(Promising(), StrategyArgs()))
    assert found.gone == gone
    assert {one.blocked.reason for one in found.outcome.refused} == ({Reason.NO_GAIN} if not gone else set())
