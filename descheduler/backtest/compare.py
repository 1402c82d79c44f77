"""Contenders beside each other on the same recorded time: `descheduler backtest`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from descheduler.backtest.assumptions import replay_of
from descheduler.backtest.contender import Maker, Nobody
from descheduler.backtest.figures import figures, mean_of
from descheduler.backtest.ours import Ours
from descheduler.backtest.recorded import Recorded
from descheduler.backtest.rivals import ORACLE
from descheduler.backtest.walk import Rules, rules_of
from descheduler.backtest.walks import Advance, Task, Walked, walked
from descheduler.model.reasons import EXPLANATION, Reason
from descheduler.policy import policy_hash
from descheduler.report.backtests.document import BACKTEST_FORMAT, VERSION, Backtest, Contestant, Refused, Restarts
from descheduler_profiling.executors import ChunkRunner

NOBODY = Nobody()


@dataclass(frozen=True, slots=True)
class Comparing:
    """What is compared, on what: `policies` as contenders, other deschedulers' rules, and for how many `seeds`.

    Nodes are hot by the thresholds of the first policy, for everybody. `starts` seconds pass until a replacement is
    ready.
    """

    recorded: Recorded
    policies: tuple[Ours, ...]
    rivals: tuple[Maker, ...]
    seeds: tuple[int, ...]
    starts: float

    @property
    def makers(self) -> tuple[Maker, ...]:
        """All contenders but nobody."""
        return (*self.policies, *self.rivals, ORACLE)

    def rules(self) -> Rules:
        """What holds for all of them."""
        return rules_of(self.policies[0].policy, self.recorded.world().snapshot, self.starts)

    def steps(self) -> int:
        """How many steps there are to walk in all."""
        world = self.recorded.world()
        return (world.end - world.begin) // world.step * len(self.seeds) * (1 + len(self.makers))


def compare(asked: Comparing, runner: ChunkRunner, advance: Advance) -> Backtest:
    """The document; the same arguments give the same one, whatever the runner."""
    rules, recorded = asked.rules(), asked.recorded
    alone = list(walked(runner, [Task(recorded, NOBODY, rules, seed) for seed in asked.seeds], advance))
    tasks = [
        Task(recorded, maker, rules, seed, base.hot)
        for maker in asked.makers
        for seed, base in zip(asked.seeds, alone, strict=True)
    ]
    others = list(walked(runner, tasks, advance))
    world, count = recorded.world(), len(asked.seeds)
    replay = replay_of(world, rules, [(one.name, one.policy) for one in asked.policies], asked.seeds)
    gpus = replay.gpus > 0
    contenders = [_contestant(NOBODY, alone, alone, gpus)] + [
        _contestant(maker, others[i * count : (i + 1) * count], alone, gpus) for i, maker in enumerate(asked.makers)
    ]
    return Backtest(BACKTEST_FORMAT, VERSION, replay, tuple(contenders))


def _contestant(maker: Maker, walks: Sequence[Walked], alone: Sequence[Walked], gpus: bool) -> Contestant:
    scores = [one.score for one in walks]
    columns = zip(*(score.hot for score in scores), strict=True)
    return Contestant(
        name=maker.name,
        kind=_kind(maker),
        policy_hash=policy_hash(maker.policy) if isinstance(maker, Ours) else "",
        landing=walks[0].landing,
        figures=figures(scores, [one.score for one in alone], gpus=gpus),
        restarts=tuple(Restarts(name, n) for name, n in mean_of([score.restarts for score in scores]).items()),
        refused=tuple(
            Refused(name, EXPLANATION[Reason(name)], n) for name, n in mean_of([s.refused for s in scores]).items()
        ),
        hot=tuple(round(sum(counts) / len(counts), 3) for counts in columns),
    )


def _kind(maker: Maker) -> str:
    if isinstance(maker, Ours):
        return "policy"
    return {NOBODY.name: "nobody", ORACLE.name: "oracle"}.get(maker.name, "peer")
