"""What one execution, or one resumption of what was interrupted, works with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.rate_limit import RateLimit
from descheduler.execution.departures import Departures
from descheduler.execution.executors.protocol import ActingTools, UnitMover
from descheduler.execution.executors.registry import ChosenExecutor
from descheduler.execution.intents import Intent, IntentStore
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.outcomes import ActionOutcome
from descheduler.execution.replacements import ReplacementWatch
from descheduler.model.errors import ClusterError, ExecutorError
from descheduler.model.reasons import Blocked
from descheduler.model.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """The parts of a `PlanRunner` as they are during one call, and its executors at work.

    `tools` are what executors get; the other fields are the runner's, which says what they mean.
    """

    tools: ActingTools
    intents: IntentStore
    observe: Callable[[], ClusterSnapshot]
    executors: Callable[[str], ChosenExecutor]
    keep: Callable[[str, Sequence[ActionOutcome]], None]
    notify: Callable[[ActionOutcome], None]
    stopping: Callable[[], bool]
    renew: Callable[[], None]
    _chosen: dict[str, ChosenExecutor] = field(default_factory=dict)
    _movers: dict[str, UnitMover] = field(default_factory=dict)

    @property
    def clock(self) -> Clock:
        return self.tools.clock

    @property
    def rng(self) -> Random:
        return self.tools.rng

    @property
    def rate(self) -> RateLimit:
        return self.tools.rate

    @property
    def limits(self) -> ExecutionLimits:
        return self.tools.limits

    @property
    def closed(self) -> Blocked | None:
        """Why nothing new may be begun at this moment; None while it may."""
        return self.tools.closed()

    def executor(self, name: str) -> ChosenExecutor:
        """The executor of that name, looked up once. Raises ExecutorError."""
        if name not in self._chosen:
            self._chosen[name] = self.executors(name)
        return self._chosen[name]

    def mover(self, executor: str) -> UnitMover:
        """Who moves units by that executor. Raises ExecutorError."""
        if executor not in self._movers:
            self._movers[executor] = self.executor(executor).mover(self.tools)
        return self._movers[executor]

    def in_full(self, executor: str) -> bool:
        """Whether replacements are ready before anything goes, by that executor; not so by one that is unknown."""
        try:
            return self.executor(executor).executor.manner.full
        except ExecutorError:
            return False  # whoever asks for it next says so

    def holds(self, intent: Intent) -> bool:
        """Whether something of ours is there for it until its replacements have a node."""
        return self.mover(intent.action.executor).holds(intent.action)

    def close(self, intents: Sequence[Intent]) -> None:
        """Take away what was prepared for them, but nothing that another open intent needs, and forget them."""
        closing = {intent.key: intent for intent in intents}
        held: dict[str, list[Intent]] = {}
        for intent in closing.values():
            if self.holds(intent):
                held.setdefault(intent.action.executor, []).append(intent)
        still_open = [i for i in self.intents.load() if i.key not in closing] if held else []
        for executor, released in held.items():
            self.mover(executor).release(released, [i for i in still_open if i.action.executor == executor])
        self.intents.close(closing.values())

    def look(self, *watches: ReplacementWatch | Departures) -> None:
        """Let them see what the cluster is like now."""
        try:
            snapshot = self.observe()
        except ClusterError:
            return  # the next look may see; the deadline bounds how many there are
        for watch in watches:
            watch.look(snapshot, self.clock.wall())

    def until_bound(self, watch: ReplacementWatch) -> None:
        """Give the scheduler a moment to find nodes for the replacements, while what was prepared is still there."""
        began = self.clock.steady()
        while watch.unbound and self.clock.steady() - began < self.limits.finish_on_stop and not self.stopping():
            self.clock.sleep(self.limits.observe_every)
            self.look(watch)
