"""When a strategy is paused because its moves miss, where, what it may do meanwhile, and how it proves itself."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

from builders import NOW
from descheduler.learning.ledger import Ledger, LedgerRules
from descheduler.learning.store import pack, unpack
from descheduler.learning.strategy_pauses import Pause
from descheduler.policy import Policy
from execution.plans import move
from learning.moves import HOUR, done, later, run

RULES = LedgerRules.of(Policy())
MISSES = [False] * 5


def paused(ledger: Ledger, now: float) -> list[tuple[str, str]]:
    return [(pause.strategy, pause.pool) for pause in ledger.paused(now)]


def left(ledger: Ledger, now: float) -> list[int]:
    return [trial.actions for trial in ledger.trials(now).get("HotNodes", ())]


def test_moves_that_come_back_pause_their_strategy() -> None:
    ledger = run(Ledger(), MISSES)
    assert paused(ledger, NOW + 5 * HOUR) == [("HotNodes", "")]
    (trial,) = ledger.trials(NOW + 5 * HOUR)["HotNodes"]
    assert trial.why.startswith("0 of its last 5 actions reached their goal; until ")
    assert trial.why.endswith("it goes on with its 2 surest at a time")


def test_moves_that_land_well_do_not() -> None:
    assert paused(run(Ledger(), [True] * 5), NOW + 5 * HOUR) == []
    assert paused(run(Ledger(), [True] * 4 + [False]), NOW + 5 * HOUR) == []
    assert paused(run(Ledger(), [False] * 4), NOW + 5 * HOUR) == []  # too few to say so


def test_one_workload_that_keeps_missing_is_held_and_pauses_nobody() -> None:
    ledger = Ledger()
    for i in range(12):
        ledger = done(ledger, (move(f"web-{i}"), "n1"), at=NOW + i * HOUR).judge(later(), NOW + i * HOUR + HOUR / 2)
    now = NOW + 12 * HOUR
    assert paused(ledger, now) == []
    assert [hold.workload for hold in ledger.held(now)] == ["default/ReplicaSet/web"]
    assert paused(run(ledger, [True] * 3, now), now + 3 * HOUR) == []
    assert paused(run(ledger, MISSES[1:], now), now + 4 * HOUR) == [("HotNodes", "")]


def test_a_pool_that_explains_the_misses_is_paused_alone() -> None:
    ledger = run(run(Ledger(), [True] * 4, pool="general"), MISSES, NOW + 5 * HOUR, pool="gpu")
    now = NOW + 10 * HOUR
    assert paused(ledger, now) == [("HotNodes", "gpu")]
    (trial,) = ledger.trials(now)["HotNodes"]
    assert trial.pool == "gpu"
    assert trial.why.startswith("0 of its last 5 actions in pool gpu reached their goal; until ")
    assert paused(run(ledger, [True] * 5, now, pool="general"), now) == [("HotNodes", "gpu")]
    both = run(ledger, MISSES, now, pool="general")  # it misses wherever it moves anything
    assert paused(both, now + 5 * HOUR) == [("HotNodes", "gpu"), ("HotNodes", "")]


def test_misses_everywhere_are_the_strategys() -> None:
    """Too few in each pool to speak of it; together enough."""
    ledger = Ledger()
    for i, pool in enumerate(("a", "b", "c", "d", "e")):
        ledger = run(ledger, [False], NOW + i * HOUR, pool=pool)
    assert paused(ledger, NOW + 5 * HOUR) == [("HotNodes", "")]


def test_a_paused_strategy_has_few_moves_under_way_until_they_hit() -> None:
    ledger, now = run(Ledger(), MISSES), NOW + 5 * HOUR
    assert left(ledger, now) == [2]
    one = done(ledger, (move("a-1"), "n2"), at=now)
    assert left(one, now + 60) == [1]
    assert left(one.judge(later(), now + 900), now + 900) == [2]  # it hit
    back = done(ledger, (move("a-1"), "n1"), at=now).judge(later(), now + 900)
    assert left(back, now + 900) == [1]
    assert left(back, now + HOUR + 1) == [2]
    two = done(done(ledger, (move("a-1"), "n1"), at=now), (move("b-1"), "n1"), at=now)
    assert left(two, now + 60) == [0]
    silent = replace(ledger, rules=replace(RULES, pausing=replace(RULES.pausing, trial=0)))
    assert left(silent, now) == [0]


def test_it_goes_on_as_before_when_its_trial_hits_and_does_not_while_it_misses() -> None:
    ledger, now = run(Ledger(), MISSES), NOW + 4.5 * HOUR + 60
    hits, misses = ledger, ledger
    for i in range(5):
        at = now + i * 900
        assert paused(hits, at) == [("HotNodes", "")]
        hits = done(hits, (move(f"a{i}-1"), "n2"), at=at).judge(later(), at + 700)
        misses = done(misses, (move(f"a{i}-1"), "n1"), at=at).judge(later(), at + 700)
    after = now + 5 * 900
    assert paused(hits, after) == []
    assert paused(misses, after) == [("HotNodes", "")]
    assert paused(misses, NOW + 4.5 * HOUR + RULES.pausing.seconds) == []
    again = run(hits, MISSES, after)
    assert paused(again, after + 5 * HOUR) == [("HotNodes", "")]  # it must miss anew


def test_what_was_done_before_a_pause_does_not_count_after_it() -> None:
    ledger = run(Ledger(), MISSES)
    end = NOW + 4.5 * HOUR + RULES.pausing.seconds
    assert paused(ledger.judge(later(), end), end) == []
    assert ledger.hit_rates(end) == {}
    assert run(ledger, [True, False], end).hit_rates(end + 2 * HOUR) == {"HotNodes": 0.5}


def test_an_older_ledger_is_read_as_it_was_meant() -> None:
    """As it was kept before entries knew where they were directed, goals their pool, and pauses their strategy."""
    kept = run(Ledger(), [True, False, True])
    document = json.loads(zlib.decompress(pack(kept)))
    for entry in document["entries"]:
        del entry["towards"]
        entry["goal"] = {k: v for k, v in entry["goal"].items() if k not in ("load", "pool", "room", "reserved")}
        entry["goal"]["cured"] = True
    document["pauses"] = {"HotNodes": {"until": NOW + 9 * HOUR, "text": "2 of its last 5 actions reached their goal"}}
    read = unpack(zlib.compress(json.dumps(document).encode()), RULES)
    assert [e.resolved for e in read.entries] == [True, False, True]
    assert read.pauses["HotNodes"] == Pause(NOW + 9 * HOUR, read.pauses["HotNodes"].text, strategy="HotNodes")
    assert left(read, NOW + 4 * HOUR) == [2]
    assert read.judge(later(), NOW + 4 * HOUR).paused(NOW + 4 * HOUR)
    assert unpack(pack(read), RULES) == read
