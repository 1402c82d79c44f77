"""Single values of a policy set by their paths: what changes, what stays, and what is told when it cannot be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from descheduler.example.example import example_policy
from descheduler.model.errors import PolicyError
from descheduler.policy import Policy, Setting, default_policy, load_policy, policy_hash, with_values
from descheduler_strategies.hot_nodes import HotNodesArgs

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
TWO = (
    HEAD + "strategies: [{name: noon, HotNodes: {}}, {name: night, HotNodes: {thresholds: {cpu: 90%}}}, IdleGpu: {}]\n"
)
EXAMPLES = Path(__file__).parents[2] / "manifests" / "examples"


def changed(policy: Policy, *texts: str) -> Policy:
    return with_values(policy, [Setting.of(text) for text in texts])


def problems(policy: Policy, *texts: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        changed(policy, *texts)
    return list(caught.value.problems)


def hot_nodes(policy: Policy, position: int = 0) -> HotNodesArgs:
    args = policy.strategies[position].args
    assert isinstance(args, HotNodesArgs)
    return args


def test_a_value_that_is_set_is_the_only_one_that_changes() -> None:
    before = default_policy()
    after = changed(before, "limits.perCycle=120")
    assert after.limits.per_cycle == 120
    assert after.model_copy(update={"limits": before.limits}) == before
    assert policy_hash(after) != policy_hash(before)


def test_a_policy_in_which_its_own_values_are_set_stays_the_same() -> None:
    for text in (example_policy(), *(file.read_text() for file in sorted(EXAMPLES.glob("*.yaml")))):
        before = load_policy(text)
        after = changed(before, f"interval={int(before.interval.total_seconds())}s")
        assert after == before
        assert policy_hash(after) == policy_hash(before)


def test_durations_keep_their_parts_of_a_second() -> None:
    before = load_policy(HEAD + "cost: {restart: 0.4s, warmUp: 1m1.5s}\n")
    assert changed(before, "cost.margin=2").cost == before.cost.model_copy(update={"margin": 2.0})


def test_a_mode_that_nobody_gave_stays_one_that_nobody_gave() -> None:
    assert "mode" not in changed(load_policy(HEAD), "interval=1m").model_fields_set


def test_what_a_mapping_holds_by_default_stays_beside_what_is_set() -> None:
    policy = changed(
        load_policy(HEAD + "strategies: [HotNodes: {}]\n"), "HotNodes.thresholds.cpu=70%", "proof.maxLoad.cpu=0.6"
    )
    assert hot_nodes(policy).thresholds == {**HotNodesArgs().thresholds, "cpu": 0.7}
    assert policy.proof.max_load == {"cpu": 0.6, "memory": 0.9}


def test_what_the_policy_itself_leaves_out_of_a_mapping_does_not_come_back() -> None:
    policy = changed(load_policy(TWO), "night.thresholds.cpu=85%")
    assert hot_nodes(policy, 1).thresholds == {"cpu": 0.85}
    assert hot_nodes(policy, 0) == HotNodesArgs()


def test_a_strategy_is_found_by_its_kind_where_one_alone_has_it() -> None:
    policy = load_policy(HEAD + "strategies: [{name: noon, HotNodes: {}}]\n")
    assert hot_nodes(changed(policy, "HotNodes.thresholds.cpu=0.5")).thresholds["cpu"] == 0.5
    assert hot_nodes(changed(policy, "noon.thresholds.cpu=0.5")).thresholds["cpu"] == 0.5
    assert hot_nodes(changed(policy, "strategies[0].HotNodes.thresholds.cpu=0.5")).thresholds["cpu"] == 0.5
    assert problems(load_policy(TWO), "HotNodes.thresholds.cpu=0.5") == [
        "--set HotNodes.thresholds.cpu=0.5: several strategies are HotNodes: noon, night"
    ]


def test_values_are_yaml() -> None:
    policy = changed(
        load_policy(HEAD),
        "limits.perNode=null",
        "limits.perCycle=max(50, 0.2%)",
        "protections.minPodAge=10m",
        "pools=[{name: gpu, nodeSelector: {gpu: 'true'}}]",
        "freshness.kinds[ray.io/RayCluster]=3m",
        'history.match="a=b"',
    )
    assert (policy.limits.per_node, policy.limits.per_cycle) == (None, "max(50, 0.2%)")
    assert policy.protections.min_pod_age == timedelta(minutes=10)
    assert policy.pool_names == ("gpu", "default")
    assert policy.freshness.kinds["ray.io/RayCluster"] == timedelta(minutes=3)
    assert policy.history.match == "a=b"


def test_values_that_need_one_another_are_checked_together() -> None:
    policy = changed(load_policy(HEAD), "cooldown.unit=2d", "cooldown.longest=4d")
    assert policy.cooldown.longest == timedelta(days=4)
    assert problems(load_policy(HEAD), "cooldown.unit=2d") == [
        "--set cooldown.unit=2d: cooldown: longest must not be less than unit"
    ]


def test_an_item_of_a_list_is_set_by_its_position() -> None:
    policy = load_policy(HEAD + "windows: [{schedule: 0 2 * * *, duration: 2h}]\n")
    assert changed(policy, "windows[0].duration=3h").windows[0].duration == timedelta(hours=3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limits.perCycle=abc", "must be a whole number"),
        ("limits.perCyle=4", "is not a known key (did you mean perCycle?)"),
        ("limits.per_cycle=4", "is not a known key (did you mean perCycle?)"),
        ("limits.perNode.x=3", "there is no x in the value 8"),
        ("limits=5", "must be a mapping"),
        ("limit.perCycle=5", "the policy has no section and no strategy limit (did you mean limits?)"),
        ("HotNode.maxRisk=5%", "the policy has no section and no strategy HotNode (did you mean HotNodes?)"),
        ("GpuTopology.pools=[]", "the policy has no section and no strategy GpuTopology"),
        ("mode=dry", "must be one of dry-run, active, not dry (did you mean dry-run?)"),
        ("windows[1].duration=3h", "there is no item 1 in a list of 0"),
        ("HotNodes.pools={gpu: {cpu: 50%}}", "strategies[0].HotNodes.pools.gpu: no pool is named gpu"),
        ("history.match=*x", "is not YAML"),
        ("limits.perCycle=", "a value is missing"),
        ("limits.perCycle", "must be PATH=VALUE"),
        ("limits..perCycle=3", "must be PATH=VALUE"),
        ("=3", "must be PATH=VALUE"),
        ("pools[0=3", "must be PATH=VALUE"),
    ],
)
def test_what_cannot_be_set_is_told_with_the_option(text: str, message: str) -> None:
    (problem,) = problems(default_policy(), text)
    assert problem.startswith(f"--set {text}: ")
    assert message in problem


def test_every_option_that_is_wrong_is_told() -> None:
    assert problems(default_policy(), "cost.margin=0", "interval=5", "limits.perCycle=10") == [
        "--set cost.margin=0: must be at least 1",
        '--set interval=5: must be a duration such as "30s", "5m", "1h30m" or "7d"',
    ]
    assert problems(default_policy(), "interval=1m", "interval=2m") == ["--set interval=2m: is set twice"]
