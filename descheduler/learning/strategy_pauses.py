"""Pauses of strategies: one whose moves miss their goal too often goes on with its surest moves alone, and starts anew
when these have proved it, or after a while.

Whether a move reaches its goal is in the hands of whoever owns the pod, and of the nodes, too. So what one workload
misses in a row counts once, for it is held itself; one namespace's misses are not enough, unless nobody else's pods
were moved; and where it misses in one pool of nodes, it is paused in that pool alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from descheduler.policy.learning import LearningPolicy


@dataclass(frozen=True, slots=True)
class PauseRules:
    """A strategy of whose last `window` judged actions (at least `least`) less than `rate` hit is paused for `seconds`.

    trial: it goes on with so many of its surest actions at a time.
    """

    rate: float
    window: int
    least: int
    seconds: float
    trial: int

    @classmethod
    def of(cls, learning: LearningPolicy) -> Self:
        return cls(
            rate=learning.min_hit_rate,
            window=learning.window,
            least=learning.min_judged,
            seconds=learning.pause.total_seconds(),
            trial=learning.trial,
        )


@dataclass(frozen=True, slots=True)
class JudgedAction:
    """`hit` when it did what it was to do. `pool` is that of the nodes that its pods left."""

    at: float
    hit: bool
    namespace: str = ""
    workload: str = ""
    pool: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """Unix seconds; kept after its end, because actions before it do not count any more.

    `since` None: of a ledger that did not keep it. `strategy` and `pool` say what it holds; an empty pool is every one.
    """

    until: float
    text: str
    since: float | None = None
    strategy: str = ""
    pool: str = ""

    def began(self, rules: PauseRules) -> float:
        """When, in unix seconds."""
        return self.until - rules.seconds if self.since is None else self.since

    def concerns(self, pool: str) -> bool:
        """Whether what leaves nodes of the pool is held."""
        return self.pool in ("", pool)


def of_strategy(pauses: Mapping[str, Pause], strategy: str) -> list[Pause]:
    """Its pauses, past ones among them."""
    return [pause for pause in pauses.values() if pause.strategy == strategy]


def counting(
    actions: Iterable[JudgedAction], pauses: Sequence[Pause], now: float, rules: PauseRules
) -> list[JudgedAction]:
    """Actions since the last pause of their strategy ended; in one that lasts, since it began."""
    after = [(pause, pause.began(rules) if now < pause.until else pause.until) for pause in pauses]
    return [a for a in actions if all(a.at >= start for pause, start in after if pause.concerns(a.pool))]


def hit_rate(actions: Sequence[JudgedAction]) -> float:
    """Share of hits; 1 where there are no actions."""
    return sum(a.hit for a in actions) / len(actions) if actions else 1.0


def reviewed(
    actions: Mapping[str, Sequence[JudgedAction]], pauses: Mapping[str, Pause], now: float, rules: PauseRules
) -> dict[str, Pause]:
    """The pauses, with those ended that were proved wrong, and with those that are new. Actions by strategy, oldest
    first."""
    result = dict(pauses)
    for strategy, every in actions.items():
        own = of_strategy(pauses, strategy)
        judged = counting(every, own, now, rules)
        lasting = [pause for pause in own if now < pause.until]
        for pause in lasting:
            if _proved([a for a in judged if pause.concerns(a.pool)], rules):
                result[_key(strategy, pause.pool)] = Pause(now, pause.text, pause.since, strategy, pause.pool)
        free = [a for a in judged if not any(pause.concerns(a.pool) for pause in lasting)]
        for pool, missing in _failing(free, rules):
            text = f"{sum(a.hit for a in missing)} of its last {len(missing)} actions"
            text += f" in pool {pool} reached their goal" if pool else " reached their goal"
            result[_key(strategy, pool)] = Pause(now + rules.seconds, text, now, strategy, pool)
    return result


def _key(strategy: str, pool: str) -> str:
    return f"{strategy} in {pool}" if pool else strategy


def _proved(trial: Sequence[JudgedAction], rules: PauseRules) -> bool:
    """Whether what was done during a pause shows that moves hit again."""
    last = trial[-rules.window :]
    return len(last) >= rules.least and hit_rate(last) >= rules.rate


def _failing(actions: Sequence[JudgedAction], rules: PauseRules) -> list[tuple[str, list[JudgedAction]]]:
    """The pools that miss, with the actions that say so; "" for all, where no pool explains it."""
    by_pool: dict[str, list[JudgedAction]] = {}
    for action in actions:
        by_pool.setdefault(action.pool, []).append(action)
    pools = [(pool, missing) for pool in sorted(by_pool) if pool and (missing := _misses(by_pool[pool], rules))]
    named = {pool for pool, _ in pools}
    rest = [a for a in actions if a.pool not in named]
    every = _misses(actions, rules)
    if every and (not rest or not pools or _misses(rest, rules)):
        return [("", every)]
    return pools


def _misses(actions: Sequence[JudgedAction], rules: PauseRules) -> list[JudgedAction]:
    """The last actions, when too few of them hit; empty when enough do, or there is too little to say so."""
    counted = _once(actions)
    last = counted[-rules.window :]
    wrong = len(last) >= rules.least and hit_rate(last) < rules.rate
    wide = _widely(counted, lambda a: a.namespace, rules) and _widely(counted, lambda a: a.pool, rules)
    return last if wrong and wide else []


def _once(actions: Sequence[JudgedAction]) -> list[JudgedAction]:
    """The actions, of the misses of one workload in a row the latest alone."""
    kept: list[JudgedAction] = []
    missed: set[str] = set()  # workloads whose next action, which is kept, missed
    for action in reversed(actions):
        if action.hit:
            missed.discard(action.workload)
        elif action.workload in missed:
            continue
        else:
            missed.add(action.workload)
        kept.append(action)
    return kept[::-1]


def _widely(actions: Sequence[JudgedAction], group: Callable[[JudgedAction], str], rules: PauseRules) -> bool:
    """Whether the last actions of more than one group miss, or there is but one."""
    of: dict[str, list[JudgedAction]] = {}
    for action in actions:
        of.setdefault(group(action), []).append(action)
    missing = sum(hit_rate(own[-rules.window :]) < rules.rate for own in of.values())
    return missing > 1 or len(of) == 1
