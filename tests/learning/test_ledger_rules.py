"""What the policy says about the consequences of past moves is what the ledger goes by."""

from __future__ import annotations

from dataclasses import fields

import pytest

from descheduler.learning.circuit import CircuitRules
from descheduler.learning.ledger import LedgerRules
from descheduler.learning.strategy_pauses import PauseRules
from descheduler.model.errors import PolicyError
from descheduler.policy import Policy, load_policy

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
OTHER = """\
cooldown: {unit: 2h, workload: 1m, backoffFactor: 3, longest: 12h, quarantineAfter: 2, quarantine: 1d}
acting: {pendingLimit: 2, pendingAfter: 1m, pendingShare: 25%, pendingNamespaces: 4}
learning: {settle: 5m, easedShare: 25%, ownerMisses: 3, minHitRate: 50%, window: 10, minJudged: 2, pause: 1h, trial: 1,
  remember: 500}
"""


def test_every_rule_can_be_set() -> None:
    rules, defaults = LedgerRules.of(load_policy(HEAD + OTHER)), LedgerRules.of(Policy())
    assert not [f.name for f in fields(LedgerRules) if getattr(rules, f.name) == getattr(defaults, f.name)]
    ours, usual = rules.circuit, defaults.circuit
    same = [f.name for f in fields(CircuitRules) if getattr(ours, f.name) == getattr(usual, f.name)]
    assert same == ["window", "alone"]  # older ones are nobody's business any more, whatever a policy says
    assert (rules.longest, rules.quarantine, rules.settle, rules.eased_share) == (43_200, 86_400, 300, 0.25)
    assert rules.owner_misses == 3
    assert rules.pausing == PauseRules(rate=0.5, window=10, least=2, seconds=3600, trial=1)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("learning: {minJudged: 21}", "minJudged must not be more than window"),
        ("learning: {easedShare: 0}", "must be more than 0"),
        ("learning: {minHitRate: 120%}", "learning.minHitRate"),
        ("learning: {settle: 10s}", "must be at least 1 minute"),
        ("learning: {remember: 50}", "must be at least 100"),
        ("learning: {hitRate: 50%}", "did you mean minHitRate"),
        ("cooldown: {unit: 2d}", "longest must not be less than unit"),
    ],
)
def test_mistakes_are_told(written: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        load_policy(HEAD + written + "\n")
