"""A controller that decides by the real pipeline, on what a Prometheus that may fail or lie tells it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from prometheus_client import CollectorRegistry

from descheduler.controller.deciding import Deciding
from descheduler.controller.loop import Seams
from descheduler.execution.plan_run import Revalidate
from descheduler.learning.ledger import Ledger
from descheduler.model.plan import PlanDocument
from descheduler.observe import Observed, Source, observe
from descheduler.observe.history import HistoryReader
from descheduler.observe.live import WatchedCluster
from descheduler.pipeline import Decision, Memory, decide_on, profile
from descheduler.policy import Policy
from descheduler.publish.published import Published
from faults.acting import Acting
from history.proxy import FaultyProxy

Samples = list[list[Any]]  # [[unix seconds, "value"], ...]
Answer = dict[str, Any]


class Lying(FaultyProxy):
    """`lie` changes the samples of every series that the real server gives; `forge` changes whole answers."""

    lie: Callable[[Samples], Samples] | None = None
    forge: Callable[[Answer], Answer] | None = None

    def forward(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        status, kind, read = super().forward(method, target, body, headers)
        if status != 200 or (self.lie is None and self.forge is None):
            return status, kind, read
        answer = json.loads(read)
        data = answer["data"] if isinstance(answer["data"], dict) else {}
        ranges = [series for series in data.get("result", ()) if "values" in series]
        for series in ranges if self.lie is not None else ():
            series["values"] = self.lie(series["values"])
        if self.forge is not None and data.get("resultType") == "matrix":
            answer = self.forge(answer)
        return status, kind, json.dumps(answer).encode()

    def recover(self) -> None:
        """Be as good as the real server again."""
        self.decide, self.lie, self.forge = lambda _: None, None, None
        self.seen.clear()


class Watching:
    """`plan` is the last one that was made, None when the last cycle made none."""

    def __init__(self, acting: Acting, prometheus: Lying) -> None:
        self.acting = acting
        self.controller = acting.controller
        self.plan: PlanDocument | None = None
        self._prometheus = prometheus
        self._reader, self._deciding = self._made(), self._anew()
        seams = self.controller.seams
        self.controller.seams = Seams(
            seams.unsynced, self._observe, self._decide, self._again, self._renew, settle=seams.settle
        )

    def forget(self) -> None:
        """Like a controller that was started just now: nothing of the history is known."""
        self._reader.close()
        self._reader, self._deciding = self._made(), self._anew()

    def close(self) -> None:
        self._reader.close()

    def cycle(self, mode: str) -> str:
        """One cycle; how it ended."""
        self.plan, self.controller.switch = None, replace(self.controller.switch, flag=mode)
        return self.acting.cycle()

    @property
    def moved(self) -> set[str]:
        """Names of the pods that the last plan moves."""
        return {pod.pod for action in self.plan.actions for pod in action.pods} if self.plan else set()

    def moved_by_the_truth(self) -> set[str]:
        """Names of the pods that a controller without a past would move now, by a server that is well."""
        policy = self.controller.watch.policy
        assert policy is not None
        cluster, reader = WatchedCluster(self.acting.cache, self.acting.time.clock.wall), self._made()
        try:
            observed = observe(Source(cluster, reader), policy)
        finally:
            reader.close()
        actions = decide_on(observed, policy, profile(observed)).plan.actions
        return {pod.pod for action in actions for pod in action.pods}

    @property
    def refusals(self) -> list[str]:
        """What the last plan does not do, and why."""
        return [f"{r.subject}: {r.reason} {r.by} {r.detail}" for r in self.plan.refusals] if self.plan else []

    @property
    def readiness(self) -> str:
        """What the controller says of itself."""
        return self.controller.status.ready.text

    def _made(self) -> HistoryReader:
        return HistoryReader(self._prometheus.url, None, self.acting.time.clock.wall, Random(1), lambda: None)

    def _observe(self, policy: Policy) -> Observed:
        cluster = WatchedCluster(self.acting.cache, self.acting.time.clock.wall)
        return observe(Source(cluster, self._reader), policy)

    def _anew(self) -> Deciding:
        published = Published(CollectorRegistry(), lambda: None)
        return Deciding(self._observe, published, self.acting.time.clock.wall)

    def _decide(self, observed: Observed, policy: Policy, memory: Memory) -> Decision:
        decision = self._deciding(observed, policy, memory)
        self.plan = decision.plan
        return decision

    def _again(self, policy: Policy, document: PlanDocument, remembered: Callable[[], Ledger]) -> Revalidate:
        return self._deciding.again(policy, document, remembered)

    def _renew(self, policy: Policy) -> None:
        self._deciding.renew(policy)
