"""The check before a late wave goes by history as it is then, and by nothing where it cannot be read any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from prometheus_client import CollectorRegistry

from builders import NOW
from descheduler.controller.deciding import Deciding
from descheduler.controller.metrics import Metrics
from descheduler.learning.ledger import Ledger
from descheduler.model.errors import HistoryError
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Reason
from descheduler.observe import Observed
from descheduler.pipeline import Memory
from descheduler.policy import Policy, load_policy
from descheduler.publish.published import Published
from descheduler_profiling.series import History
from histories import history, peaking, steady
from planning.cases import hot_node

POLICY = load_policy(
    "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
    "strategies: [{HotNodes: {thresholds: {cpu: 75%}}}]\n"
)
MINUTE = 60.0


@dataclass
class World:
    """A cluster with a hot node, a plan of it, and the time. `histories` None: their server is down."""

    now: float = NOW
    histories: Sequence[History] | None = field(default_factory=lambda: hot_node()[1])
    readings: int = 0

    def __post_init__(self) -> None:
        registry = CollectorRegistry()
        self.metrics = Metrics()
        published = Published(registry, lambda: None)
        self.deciding = Deciding(self.observe, published, lambda: self.now, self.metrics.keeps)
        self.plan: PlanDocument = self.deciding(self.observe(POLICY), POLICY, Memory()).plan
        assert self.plan.actions
        self.readings = 0

    def observe(self, _: Policy) -> Observed:
        self.readings += 1
        if self.histories is None:
            raise HistoryError("the server does not answer")
        shift = int(self.now - NOW)  # what was measured goes on as it did
        there = {one.signal: replace(one, start=one.start + shift) for one in self.histories}
        return Observed(replace(hot_node()[0], taken_at=self.now), there, self.now)

    def wave(self, minutes: float) -> set[Reason | None]:
        """Why its moves may not go, so many minutes after the plan; None: they may."""
        self.now = NOW + minutes * MINUTE
        self.deciding.renew(POLICY)
        check = self.deciding.again(POLICY, self.plan, Ledger)
        verdicts: Mapping[str, object] = check(replace(hot_node()[0], taken_at=self.now), self.plan.actions)
        return {getattr(blocked, "reason", None) for blocked in verdicts.values()}


def test_a_wave_long_after_the_plan_goes_by_history_that_is_read_anew() -> None:
    world = World()
    assert world.wave(minutes=40) == {None}
    assert world.readings == 1


def test_what_that_history_says_counts() -> None:
    world = World()
    assert world.histories is not None
    web, idle = world.histories[0].keys[::-1]
    busy = steady(0.1)
    busy[-288:] = 11.0  # for a day, as is known by now
    there = history("cpu", {web: peaking(0.5, 2.9, minutes_ahead=20), idle: busy})
    world.histories = [there, world.histories[1]]
    assert world.wave(minutes=40) == {Reason.DESTINATION_HOT}


def test_where_it_cannot_be_read_nothing_moves_that_needs_it() -> None:
    world = World()
    world.histories = None
    assert world.wave(minutes=40) == {Reason.DATA_STALE}


def test_a_server_that_has_nothing_newer_moves_nothing() -> None:
    world = World()
    assert world.histories is not None
    behind = 40 * 60
    world.histories = [replace(one, start=one.start - behind) for one in world.histories]
    assert world.wave(minutes=40) == {Reason.DATA_STALE}


def test_while_history_is_young_enough_it_is_not_read_again() -> None:
    world = World()
    assert world.wave(minutes=9) == {None}
    assert world.readings == 0


def test_a_signal_that_was_no_use_to_the_plan_is_not_waited_for() -> None:
    world = World()
    memory = history("memory", {}, complete=False)
    world.histories = [*(world.histories or ())[:1], memory]
    world.now = NOW
    world.deciding(world.observe(POLICY), POLICY, Memory())
    world.readings = 0
    world.wave(minutes=9)
    assert world.readings == 0


def test_what_can_be_read_only_in_part_is_read_again_a_step_later() -> None:
    world = World()
    there = list(world.histories or ())
    world.histories = [replace(one, complete=False, problems=("a chunk failed",)) for one in there]
    assert world.wave(minutes=40) == {Reason.DATA_STALE}
    world.histories = there
    assert world.wave(minutes=46) == {None}


def test_a_server_that_is_down_is_asked_once_in_a_step_and_heard_when_it_is_back() -> None:
    world = World()
    there, world.histories = world.histories, None
    assert [world.wave(minutes=m) for m in (40, 41, 42)] == [{Reason.DATA_STALE}] * 3
    assert world.readings == 1
    world.histories = there
    assert world.wave(minutes=46) == {None}
    assert world.wave(minutes=47) == {None}
    assert world.readings == 2


def test_it_says_how_much_is_kept_of_each_signal() -> None:
    world = World()
    assert world.histories is not None
    text = world.metrics.text().decode()
    for one in world.histories:
        assert f'descheduler_kept_bytes{{signal="{one.signal}",what="history"}} {one.values.nbytes}.0' in text
        assert f'descheduler_kept_bytes{{signal="{one.signal}",what="profiles"}}' in text
