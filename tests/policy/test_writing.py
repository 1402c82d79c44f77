"""A policy written out again: what was given, no more, and remarks where they belong."""

from __future__ import annotations

import pytest

from descheduler.model.errors import PolicyError
from descheduler.policy import Setting, load_policy, policy_hash, with_values
from descheduler.policy.writing import policy_yaml

TEXT = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
limits: {perCycle: 5}
strategies:
  - HotNodes: {thresholds: {cpu: 60%, memory: 80%}}
  - name: busy
    HotNodes: {}
"""


def test_it_means_the_same_and_says_no_more_than_was_given() -> None:
    policy = load_policy(TEXT, "a.yaml")
    written = policy_yaml(policy)
    assert policy_hash(load_policy(written, "b.yaml")) == policy_hash(policy)
    assert "perCycle: 5" in written
    assert "cooldown" not in written
    assert written.count("name:") == 1  # that of the strategy that has one of its own


def test_remarks_stand_behind_their_settings_and_the_head_before_all() -> None:
    changed = with_values(
        load_policy(TEXT, "a.yaml"), [Setting("limits.perNode", "3"), Setting("busy.minDuration", "5m")]
    )
    remarks = {"limits.perNode": "the best of 2, 3", "busy.minDuration": "the best of 5m", "limits.perCycle": "kept"}
    lines = policy_yaml(changed, ["found", ""], remarks).splitlines()
    assert lines[:2] == ["# found", "#"]
    assert "  perNode: 3  # the best of 2, 3" in lines
    assert "    minDuration: 5m  # the best of 5m" in lines
    assert "  perCycle: 5  # kept" in lines
    load_policy("\n".join(lines), "b.yaml")


def test_a_remark_for_what_is_not_there_is_refused() -> None:
    with pytest.raises(PolicyError, match="no section and no strategy Nobody"):
        policy_yaml(load_policy(TEXT, "a.yaml"), remarks={"Nobody.x": "?"})
