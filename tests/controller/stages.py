"""A controller made of real parts around hand-made decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from builders import cluster, node, pod
from descheduler.apiwrite.lease import Elector
from descheduler.apiwrite.transport import Leadership, Transport, Unelected
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.controller.events import Events
from descheduler.controller.loop import Controller, Seams
from descheduler.controller.metrics import Metrics
from descheduler.controller.reload import PolicyWatch
from descheduler.controller.reports import Reports
from descheduler.controller.status import Status
from descheduler.controller.switch import PolicyMap, Switch
from descheduler.execution.intents import IntentStore
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.plan_run import Revalidate
from descheduler.execution.runner import PlanRunner
from descheduler.learning.ledger import Ledger
from descheduler.learning.store import LedgerStore
from descheduler.model.errors import ClusterError
from descheduler.model.plan import Action, PlanDocument
from descheduler.model.reasons import Blocked
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe import Observed
from descheduler.pipeline import Decision, Memory
from descheduler.planning.problems import Problem
from descheduler.policy import Policy
from descheduler.policy.acting import ActingPolicy
from execution.fakes import Scripted, Time, refusal
from execution.plans import plan

POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
interval: 1m
strategies: []
"""


def empty_server(method: str, path: str) -> bytes | ClusterError:
    """An API server that has no ConfigMap yet and takes every write."""
    return refusal(404) if method == "GET" else b"{}"


def nothing_more(_: Policy, __: PlanDocument, ___: Callable[[], Ledger]) -> Revalidate:
    def revalidate(_: ClusterSnapshot, actions: Sequence[Action]) -> Mapping[str, Blocked | None]:
        return dict.fromkeys(action.id for action in actions)

    return revalidate


@dataclass
class Stage:
    """What a test puts in front of the controller, and what it then looks at."""

    path: Path
    transport: Transport = field(default_factory=lambda: Scripted(empty_server))
    snapshot: ClusterSnapshot = field(
        default_factory=lambda: cluster([node("n1"), node("n2")], [pod("web-1", node="n1")])
    )
    plan: PlanDocument = field(default_factory=plan)
    unsynced: Blocked | None = None
    decide: Callable[[Observed, Policy, Memory], Decision] | None = None
    problems: tuple[Problem, ...] = ()
    without_history: tuple[Blocked, ...] = ()
    observe: Callable[[Policy], Observed] | None = None
    elector: Elector | None = None
    leadership: Leadership = field(default_factory=Unelected)
    mode: str | None = None
    config_map: PolicyMap | None = None
    time: Time = field(default_factory=Time)
    memories: list[Memory] = field(default_factory=list)

    def controller(self, **rest: Any) -> Controller:
        clock, rng, metrics = self.time.clock, Random(0), Metrics()
        writer = ClusterWriter(self.transport, self.leadership)
        runner = PlanRunner(
            writer,
            IntentStore(writer, "default"),
            lambda: self.snapshot,
            clock,
            rng,
            replace(ExecutionLimits.of(ActingPolicy()), ready=5, finish=5),
        )
        if not self.path.exists():
            self.path.write_text(POLICY)
        return Controller(
            watch=PolicyWatch(self.path, clock.wall),
            seams=Seams(lambda: self.unsynced, self._observe, self._decide, nothing_more),
            runner=runner,
            ledgers=LedgerStore(writer, "default"),
            elector=self.elector,
            reports=Reports(),
            metrics=metrics,
            status=Status(clock.steady),
            events=Events(writer, metrics, clock, rng),
            clock=clock,
            switch=Switch(self.mode, self.path, self.config_map),
            **rest,
        )

    def _observe(self, policy: Policy) -> Observed:
        if self.observe is not None:
            return self.observe(policy)
        return Observed(self.snapshot, {}, self.time.clock.wall())

    def _decide(self, observed: Observed, policy: Policy, memory: Memory) -> Decision:
        self.memories.append(memory)
        if self.decide is not None:
            return self.decide(observed, policy, memory)
        return Decision(self.plan, self.problems, self.without_history)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"descheduler_{name}", labels)
