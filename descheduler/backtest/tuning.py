"""A policy with its settings varied, on recorded time: `descheduler tune`.

Where there are more combinations than may be walked, all of them take a short walk through the part of the time in
which most nodes are hot, the better ones a longer one, and the best of those the whole (successive halving).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from descheduler.backtest.assumptions import replay_of
from descheduler.backtest.compare import NOBODY
from descheduler.backtest.figures import figures
from descheduler.backtest.found_policy import found_policy
from descheduler.backtest.ours import Ours
from descheduler.backtest.recorded import Recorded
from descheduler.backtest.trials import Rung, combinations, fronts, hottest_part, most_tried, rungs
from descheduler.backtest.walk import Rules, rules_of
from descheduler.backtest.walks import Advance, Task, Walked, walked
from descheduler.model.landing_mode import LandingWish
from descheduler.policy import Policy, Setting, policy_hash, with_values
from descheduler.report.backtests.document import TUNING_FORMAT, VERSION, Estimate, Trial, Tuning, Varied
from descheduler_profiling.executors import ChunkRunner

AS_IS = "as is"
"""The id of the policy with nothing changed, which is tried to the end whatever comes of it."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What is tuned, and how: `price` is how many minutes of a hot node a restart may cost, `budget` how many walks may
    be made, `starts` how many seconds pass until a replacement is ready."""

    recorded: Recorded
    name: str
    policy: Policy
    varied: tuple[Varied, ...]
    landing: LandingWish | None = None
    price: float = 10.0
    budget: int = 200
    seeds: tuple[int, ...] = (0,)
    starts: float = 60.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A policy to try, with the values that make it another one."""

    id: str
    policy: Policy
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Who is tried, for how long. Raises PolicyError, when it is made, for values that make no valid policy."""

    candidates: tuple[Candidate, ...]
    rungs: tuple[Rung, ...]
    steps: int
    there_are: int

    @classmethod
    def of(cls, tuned: Tuned) -> Schedule:
        """As the budget allows."""
        world = tuned.recorded.world()
        seconds, seeds = world.end - world.begin, len(tuned.seeds)
        sizes = [len(one.values) for one in tuned.varied]
        most = max(1, most_tried(seeds, tuned.budget, seconds) - 1)  # one is the policy as it is
        picked = combinations(sizes, most, np.random.default_rng(0))
        candidates = [Candidate(AS_IS, tuned.policy)]
        for number, which in enumerate(picked, 1):
            values = {one.path: one.values[at] for one, at in zip(tuned.varied, which, strict=True)}
            policy = with_values(tuned.policy, [Setting(*one) for one in values.items()], "--vary")
            candidates.append(Candidate(f"t{number}", policy, values))
        plan = rungs(len(candidates), seeds, tuned.budget, seconds)
        return cls(tuple(candidates), plan, seconds // world.step, math.prod(sizes))

    @property
    def walks(self) -> float:
        """How many walks of the whole time that is."""
        return sum(rung.count * rung.seeds * rung.share for rung in self.rungs)

    def all_steps(self, seeds: int) -> float:
        """How many steps there are to walk, nobody's included."""
        return self.steps * (seeds + self.walks)


@dataclass(frozen=True, eq=False, slots=True)
class _Result:
    candidate: Candidate
    share: float
    figures: Mapping[str, Estimate]
    landing: str

    @property
    def point(self) -> tuple[float, float]:
        """Hot minutes, and restarts."""
        return self.figures["hot_minutes"].mean, self.figures["restarts"].mean

    def cost(self, price: float) -> float:
        """Hot minutes, the price of the restarts among them."""
        return self.point[0] + price * self.point[1]


def tune(tuned: Tuned, schedule: Schedule, runner: ChunkRunner, advance: Advance) -> Tuning:
    """The document; the same arguments give the same one, whatever the runner."""
    world = tuned.recorded.world()
    rules = rules_of(tuned.policy, world.snapshot, tuned.starts)
    alone = list(walked(runner, [Task(tuned.recorded, NOBODY, rules, seed) for seed in tuned.seeds], advance))
    replay = replay_of(world, rules, [(tuned.name, tuned.policy)], tuned.seeds)
    climb = _Climb(tuned, rules, alone, replay.gpus > 0)
    left, dropped = list(schedule.candidates), list[_Result]()
    results: list[_Result] = []
    for at, rung in enumerate(schedule.rungs):
        results = climb.walk(left, rung, runner, advance)
        if at + 1 < len(schedule.rungs):
            kept, gone = _parted(results, schedule.rungs[at + 1].count, tuned.price)
            left, dropped = [one.candidate for one in kept], [*gone, *dropped]
    best = min(results, key=lambda one: one.cost(tuned.price))
    front = [rank == 0 for rank in fronts(np.array([one.point for one in results]))]
    trials = [_trial(one, tuned.price, first) for one, first in zip(results, front, strict=True)]
    document = Tuning(
        format=TUNING_FORMAT,
        version=VERSION,
        replay=replay,
        policy=tuned.name,
        landing=best.landing,
        varied=tuned.varied,
        price_minutes=tuned.price,
        budget=tuned.budget,
        walks=round(schedule.walks, 3),
        combinations=schedule.there_are,
        nobody=figures([one.score for one in alone], [one.score for one in alone], gpus=replay.gpus > 0),
        trials=(
            *sorted(trials, key=lambda trial: trial.cost),
            *(_trial(one, tuned.price, front=False) for one in dropped),
        ),
        best=best.candidate.id,
        best_policy="",
    )
    found = _trial(best, tuned.price, front=True)
    return replace(document, best_policy=found_policy(best.candidate.policy, found, document))


@dataclass(frozen=True, slots=True)
class _Climb:
    """Walks of one length after the other; nodes are hot by the same rules in all of them."""

    tuned: Tuned
    rules: Rules
    alone: Sequence[Walked]
    gpus: bool

    def walk(self, candidates: Sequence[Candidate], rung: Rung, runner: ChunkRunner, advance: Advance) -> list[_Result]:
        """All of them on one rung, in their order."""
        recorded, alone = self._part(rung)
        tasks = [
            Task(recorded, Ours(one.id, one.policy, self.tuned.landing), self.rules, base.score.seed, base.hot)
            for one in candidates
            for base in alone
        ]
        done = list(walked(runner, tasks, advance))
        out = []
        for at, candidate in enumerate(candidates):
            walks = done[at * len(alone) : (at + 1) * len(alone)]
            found = figures([one.score for one in walks], [one.score for one in alone], gpus=self.gpus)
            out.append(_Result(candidate, rung.share, found, walks[0].landing))
        return out

    def _part(self, rung: Rung) -> tuple[Recorded, list[Walked]]:
        """The time that is walked, and what nobody makes of it."""
        alone = list(self.alone[: rung.seeds])
        if rung.share >= 1:
            return self.tuned.recorded, alone
        world = self.tuned.recorded.world()
        first, end = hottest_part(np.sum([one.hot.sum(axis=0) for one in alone], axis=0), rung.share)
        begin = world.begin + first * world.step
        recorded = replace(self.tuned.recorded, begin=begin, end=world.begin + end * world.step)
        return recorded, [_between(one, first, end, world.step) for one in alone]


def _between(alone: Walked, first: int, end: int, step: int) -> Walked:
    """What nobody makes of a part of the time."""
    hot = alone.hot[:, first:end]
    return Walked(replace(alone.score, hot_minutes=float(hot.sum()) * step / 60.0), hot, "")


def _parted(results: Sequence[_Result], count: int, price: float) -> tuple[list[_Result], list[_Result]]:
    """Who goes on, in the order of before, and who does not: those of the better fronts first, then by cost."""
    ranks = fronts(np.array([one.point for one in results]))
    order = sorted(range(len(results)), key=lambda i: (ranks[i], results[i].cost(price), i))
    as_it_is = [i for i, one in enumerate(results) if one.candidate.id == AS_IS]
    going = {*as_it_is, *[i for i in order if i not in as_it_is][: max(1, count - 1)]}
    return (
        [one for i, one in enumerate(results) if i in going],
        [results[i] for i in order if i not in going],
    )


def _trial(result: _Result, price: float, front: bool) -> Trial:
    candidate = result.candidate
    return Trial(
        id=candidate.id,
        values=candidate.values,
        policy_hash=policy_hash(candidate.policy),
        share=round(result.share, 4),
        cost=float(f"{result.cost(price):.7g}"),
        front=front,
        figures=result.figures,
    )
