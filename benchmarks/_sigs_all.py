"""All ten strategies of kubernetes-sigs/descheduler in one policy of its format, and what each of them costs."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from descheduler.contract import RebalanceView, StrategyArgs
    from descheduler.planning.planner import ChosenStrategy

POLICY: Final = """\
apiVersion: descheduler/v1alpha2
kind: DeschedulerPolicy
maxNoOfPodsToEvictPerNode: 10
maxNoOfPodsToEvictPerNamespace: 50
maxNoOfPodsToEvictTotal: 500
profiles:
  - name: everything
    pluginConfig:
      - {name: DefaultEvictor, args: {nodeFit: true}}
      - {name: RemoveFailedPods, args: {minPodLifetimeSeconds: 3600}}
      - {name: RemovePodsHavingTooManyRestarts, args: {podRestartThreshold: 100, includingInitContainers: true}}
      - {name: PodLifeTime, args: {maxPodLifeTimeSeconds: 2592000}}
      - {name: RemovePodsViolatingNodeTaints, args: {}}
      - name: RemovePodsViolatingNodeAffinity
        args: {nodeAffinityType: [requiredDuringSchedulingIgnoredDuringExecution]}
      - {name: RemovePodsViolatingInterPodAntiAffinity, args: {}}
      - {name: RemoveDuplicates, args: {}}
      - {name: RemovePodsViolatingTopologySpreadConstraint, args: {}}
      - name: LowNodeUtilization
        args: {thresholds: {cpu: 45, memory: 45, pods: 50}, targetThresholds: {cpu: 77, memory: 77, pods: 80}}
    plugins:
      deschedule:
        enabled:
          - RemoveFailedPods
          - RemovePodsHavingTooManyRestarts
          - PodLifeTime
          - RemovePodsViolatingNodeTaints
          - RemovePodsViolatingNodeAffinity
          - RemovePodsViolatingInterPodAntiAffinity
      balance: {enabled: [RemoveDuplicates, RemovePodsViolatingTopologySpreadConstraint, LowNodeUtilization]}
  - name: packing
    pluginConfig:
      - {name: DefaultEvictor, args: {nodeFit: true}}
      - {name: HighNodeUtilization, args: {thresholds: {cpu: 38, memory: 38}}}
    plugins: {balance: {enabled: [HighNodeUtilization]}}
"""


class Stopwatch:
    """How long each strategy works on its answers, over all rounds of a plan."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def on(self, chosen: Sequence[ChosenStrategy]) -> list[ChosenStrategy]:
        """The same uses of strategies, timed."""
        return [replace(one, strategy=self._timed(one)) for one in chosen]

    def _timed(self, one: ChosenStrategy) -> Any:
        return _Timed(one.strategy, one.name, self.seconds)


class _Timed:
    def __init__(self, inner: Any, name: str, seconds: defaultdict[str, float]) -> None:
        self._inner = inner
        self._name = name
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def propose(self, view: RebalanceView, args: StrategyArgs) -> Iterator[Any]:
        answers = iter(self._inner.propose(view, args))
        while True:
            began = time.thread_time()
            answer = next(answers, None)
            self._seconds[self._name] += time.thread_time() - began
            if answer is None:
                return
            yield answer
