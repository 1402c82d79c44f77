"""What a policy says, value by value: whole, with what is not the default marked, and without secrets."""

from __future__ import annotations

from descheduler.model.plan import SettingRow
from descheduler.policy import Policy, load_policy
from descheduler.policy.telling import setting_rows

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"


def told(text: str) -> dict[str, SettingRow]:
    return {row.path: row for row in setting_rows(load_policy(HEAD + text))}


def test_of_an_empty_policy_nothing_is_changed() -> None:
    rows = setting_rows(Policy())
    assert [row for row in rows if row.default] == []
    assert len(rows) > 50


def test_a_change_is_told_with_the_default_beside_it() -> None:
    rows = told("limits: {perCycle: 120}\nproof: {quantile: 0.9}\n")
    assert rows["limits.perCycle"] == SettingRow("limits.perCycle", "120", "max(50, 0.2%)")
    assert {path for path, row in rows.items() if row.default} == {"limits.perCycle", "proof.quantile"}


def test_a_value_that_is_written_and_is_the_default_is_no_change() -> None:
    assert told("interval: 5m\n")["interval"].default == ""


def test_a_change_back_to_nothing_is_a_change() -> None:
    row = told("protections: {quotaNamespaces: []}\n")["protections.quotaNamespaces"]
    assert (row.value, row.default) == ("–", "koordinator-system, kube-system")


def test_two_uses_of_a_strategy_are_told_by_their_names() -> None:
    rows = told("strategies: [{name: noon, HotNodes: {}}, {name: night, HotNodes: {thresholds: {cpu: 90%}}}]\n")
    assert rows["noon.thresholds"].default == ""
    assert rows["night.thresholds"].value == "cpu: 0.9"
    assert rows["night.thresholds"].default.startswith("cpu: 0.75")


def test_protections_of_one_use_are_told_beside_it() -> None:
    rows = told("strategies: [{name: noon, HotNodes: {}, protections: {minReplicas: 2}}]\n")
    assert rows["noon.protections.minReplicas"] == SettingRow("noon.protections.minReplicas", "2", "0")


def test_headers_and_parameters_are_told_by_their_names_alone() -> None:
    rows = setting_rows(
        load_policy(HEAD + "history: {headers: {X-Key: s3cret-of-ours}, params: {token: t0ken-of-ours}}\n")
    )
    text = " ".join(f"{row.path} {row.value} {row.default}" for row in rows)
    assert "X-Key" in text
    assert "s3cret" not in text
    assert "t0ken" not in text
