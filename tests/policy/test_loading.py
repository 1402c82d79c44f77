"""Reading a policy: every problem at once, each at its place, and nothing guessed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from descheduler.model.errors import PolicyError
from descheduler.policy import Policy, default_policy, default_policy_text, load_policy, policy_hash
from descheduler.policy.amounts import amount_of
from descheduler.policy.protections import Protections
from descheduler.policy.writing import policy_yaml
from descheduler_strategies.hot_nodes import HotNodesArgs

INSTALLED = "evict, live-migrate, requeue, reserve, surge"
HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"


def problems(text: str, name: str = "p.yaml") -> list[str]:
    with pytest.raises(PolicyError) as caught:
        load_policy(text, name)
    return list(caught.value.problems)


def test_the_smallest_policy_has_all_defaults_and_runs_nothing() -> None:
    assert load_policy(HEAD) == Policy()
    assert Policy().mode == "dry-run"


def test_the_commented_default_says_the_defaults_of_the_models() -> None:
    policy = default_policy()
    assert policy.model_copy(update={"strategies": ()}) == Policy()
    acting = [choice.strategy for choice in policy.strategies if not choice.report_only]
    assert acting == ["HotNodes", "GpuDefragmentation", "IdleGpu"]
    told = [choice.strategy for choice in policy.strategies if choice.report_only]
    assert told == ["PartialGangs", "QuotaReclaim"]
    assert all(choice.args == type(choice.args)() for choice in policy.strategies)


def test_the_commented_default_mentions_every_section() -> None:
    written = yaml.safe_load(default_policy_text())
    assert list(written) == [field.alias for field in Policy.model_fields.values()]


def test_values_are_parsed_to_what_they_mean() -> None:
    policy = load_policy(
        HEAD
        + "interval: 1h30m\nlimits: {perWorkload: 25%}\nproof: {maxLoad: {cpu: 75%}}\nprotections: {minPodAge: 10m}\n"
        + "strategies: [{name: noon, HotNodes: {thresholds: {cpu: 0.6}}}]\n"
    )
    assert policy.interval == timedelta(minutes=90)
    assert policy.limits.per_workload == "25%"
    assert policy.proof.max_load == {"cpu": 0.75}
    assert policy.protections.min_pod_age == timedelta(minutes=10)
    (choice,) = policy.strategies
    assert (choice.name, choice.strategy) == ("noon", "HotNodes")
    assert isinstance(choice.args, HotNodesArgs)
    assert choice.args.thresholds == {"cpu": 0.6}


def test_a_strategy_without_arguments_has_its_defaults() -> None:
    (choice,) = load_policy(HEAD + "strategies:\n  - HotNodes:\n").strategies
    assert choice.args == HotNodesArgs()


def test_all_problems_come_at_once_in_the_order_of_the_text() -> None:
    text = HEAD + (
        "mode: dryrun\n"
        "limits:\n"
        "  perNod: 4\n"
        '  perCycle: "7"\n'
        "interval: 5\n"
        "strategies:\n"
        "  - HotNode: {}\n"
        "  - HotNodes:\n"
        "      treshold: 4\n"
    )
    assert problems(text) == [
        "p.yaml:3:7: mode: must be one of dry-run, active, not dryrun (did you mean dry-run?)",
        "p.yaml:5:3: limits.perNod: is not a known key (did you mean perNode?)",
        'p.yaml:6:13: limits.perCycle: must be a whole number of at least 0, or a percentage such as "10%", or the '
        'larger of both: "max(50, 0.2%)"',
        'p.yaml:7:11: interval: must be a duration such as "30s", "5m", "1h30m" or "7d"',
        "p.yaml:9:5: strategies[0].HotNode: no strategy is named HotNode (did you mean HotNodes?)",
        "p.yaml:11:7: strategies[1].HotNodes.treshold: is not a known key (did you mean thresholds?)",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("limits: {per_node: 3}", "limits.per_node: is not a known key (did you mean perNode?)"),
        ("limits: {perNode: -1}", "limits.perNode: must be a whole number of at least 0"),
        ("limits: {perCycle: 'max(50, 200%)'}", 'or the larger of both: "max(50, 0.2%)"'),
        ("limits: {perCycle: 'max(5%, 50)'}", 'or the larger of both: "max(50, 0.2%)"'),
        ("limits: {perHour: true}", "limits.perHour: must be a whole number of at least 0"),
        ("limits: {perWorkload: -1}", "limits.perWorkload: must be a whole number of at least 0"),
        ("limits: {perWorkload: 101%}", 'or a percentage such as "10%"'),
        ("limits: {perNode: 1.5}", "limits.perNode: must be a whole number"),
        ("limits: 5", "limits: must be a mapping"),
        ("mode: [active]", "mode: must be one of dry-run, active"),
        ("proof: {quantile: 1.0}", "proof.quantile: must be less than 1"),
        ("proof: {maxLoad: {cpu: 180%}}", "proof.maxLoad.cpu: must be at most 1"),
        ("cost: {margin: .nan}", "cost.margin: must be a number"),
        ("interval: 1s", "interval: must be at least 10 seconds"),
        ("pools: [{name: default, nodeSelector: {a: b}}]", "pools: the pool default holds"),
        ("pools: [{name: a, nodeSelector: {}}]", "pools[0].nodeSelector: must not be empty"),
        ("history: {url: 'http://u:p@h'}", "history.url: must not hold credentials"),
        ("history: {url: 'http://h:0x'}", "history.url: is not a URL"),
        ("history: {auth: {basic: {username: a}}}", "history.auth.basic.passwordFile: is required"),
        ("history: {window: 5m}", "history.window: must be at least 1 hour"),
        ("protections: {localStorage: yes}", "protections.localStorage: must be true or false"),
        ("protections: {labelSelector: {}}", "protections.labelSelector: an empty selector is ambiguous"),
        ("protections: {priorityThreshold: {value: 1, name: a}}", "give one of value and name"),
        ("strategies: {HotNodes: {}}", "strategies: must be a list"),
        ("strategies: [{HotNodes: {}, GpuDefragmentation: {}}]", "must name one strategy, not HotNodes, GpuDefrag"),
        ("strategies: [{name: a}]", "strategies[0]: must name one strategy, not none"),
        ("strategies: [{HotNodes: {}}, {HotNodes: {}}]", "strategies[1]: strategies[0] is named HotNodes too"),
        ("strategies: [{HotNodes: {pools: {gpu: {cpu: 90%}}}}]", "HotNodes.pools.gpu: no pool is named gpu"),
        ("strategies: [{HotNodes: 5}]", "strategies[0].HotNodes: must be a mapping of arguments"),
        ("mode: active\nmode: dry-run", "mode: is given twice, first in line 3"),
    ],
)
def test_what_is_wrong_is_said(line: str, message: str) -> None:
    assert any(message in problem for problem in problems(HEAD + line)), problems(HEAD + line)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.yaml:1:1: is empty"),
        ("a: [", "p.yaml:1:5: is not YAML"),
        ("[1, 2]", "p.yaml:1:1: must be a mapping"),
        ("a: 1\n---\nb: 2", "p.yaml:2:1: is not YAML: expected a single document"),
        ("a: \x01", "p.yaml:1:4: the character U+0001 is not allowed"),
        ("a: &a [*a]", "p.yaml:1:4: a[0]: refers to itself"),
        ("a: !!python/object:os.system {}", "kind is required"),
        (
            "apiVersion: descheduler/v1alpha1\nkind: DeschedulerPolicy",
            "descheduler/v1alpha2 is read",
        ),
        (HEAD.replace("DeschedulerPolicy", "Deployment"), "p.yaml:2:7: kind: must be DeschedulerPolicy"),
        ("x" * (2 << 20), "is larger than 1 MiB"),
    ],
)
def test_what_is_no_policy_is_said(text: str, message: str) -> None:
    assert any(message in problem for problem in problems(text)), problems(text)


def test_an_expanding_bomb_of_anchors_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert any("too large" in problem for problem in problems("\n".join(lines)))


def test_merge_keys_lay_defaults_under_a_mapping() -> None:
    text = HEAD + "limits: &l {perNode: 1, perCycle: 2}\n"
    assert load_policy(text + "strategies: []").limits.per_cycle == 2
    with pytest.raises(PolicyError, match="perNode"):
        load_policy(HEAD + "proof: &l {perNode: 1}\nlimits: {<<: *l}")
    merged = load_policy(HEAD + "limits: {<<: {perNode: 1, perCycle: 9}, perNode: 3}").limits
    assert (merged.per_node, merged.per_cycle) == (3, 9)


@pytest.mark.parametrize(
    ("written", "of_30", "of_150_000"),
    [
        ("5", 5, 5),
        ("0", 0, 0),
        ("10%", 3, 15_000),
        ("0.2%", 1, 300),  # one at least
        ("max(50, 0.2%)", 50, 300),
        ("max(50,0.2%)", 50, 300),
        ("max(0, 100%)", 30, 150_000),
    ],
)
def test_a_limit_is_a_number_or_a_share_or_the_larger_of_both(written: str, of_30: int, of_150_000: int) -> None:
    limits = load_policy(HEAD + f"limits:\n  perCycle: {written}\n").limits
    assert limits.per_cycle is not None
    assert (amount_of(limits.per_cycle, 30), amount_of(limits.per_cycle, 150_000)) == (of_30, of_150_000)


def test_the_default_limits_are_those_of_small_clusters_until_a_cluster_is_large() -> None:
    limits = load_policy(HEAD).limits
    written = (limits.per_cycle, limits.per_hour, limits.per_namespace, limits.per_node)
    of = {size: [amount_of(one, size) for one in written if one is not None] for size in (10, 24_999, 150_000)}
    assert of == {10: [50, 200, 20, 8], 24_999: [50, 200, 249, 8], 150_000: [300, 1200, 1500, 8]}
    assert limits.nodes_per_cycle is None


def test_label_values_that_look_like_booleans_stay_texts() -> None:
    selector = load_policy(HEAD + "protections: {labelSelector: {matchLabels: {rebalance: on}}}").protections
    assert selector.label_selector is not None
    assert selector.label_selector.selector().matches({"rebalance": "on"})


def test_a_missing_file_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load_policy(tmp_path / "nowhere.yaml")


def test_a_file_that_is_no_text_is_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="is not UTF-8"):
        load_policy(path)


def test_the_hash_follows_the_meaning_and_not_the_mode() -> None:
    plain = load_policy(HEAD + "limits: {perNode: 3}")
    assert policy_hash(plain) == policy_hash(load_policy(HEAD + "# why\nlimits:\n  perNode: 3\n"))
    assert policy_hash(plain) == policy_hash(load_policy(HEAD + "mode: active\nlimits: {perNode: 3}"))
    assert policy_hash(plain) != policy_hash(load_policy(HEAD + "limits: {perNode: 4}"))
    arguments = [load_policy(HEAD + f"strategies: [{{HotNodes: {{headroom: {x}}}}}]") for x in (0.1, 0.2)]
    assert policy_hash(arguments[0]) != policy_hash(arguments[1])


def test_a_policy_written_out_reads_back_as_itself() -> None:
    policy = Policy()
    text = yaml.safe_dump(policy.model_dump(mode="json", by_alias=True, exclude={"strategies"}))
    assert load_policy(text) == policy


@given(st.text(alphabet=st.sampled_from("ab:[]{}-&*!|>'\"%@#,\n\t 019.~"), max_size=60))
def test_any_text_is_a_policy_or_problems_with_their_place(text: str) -> None:
    found: tuple[str, ...] = ("p.yaml:",)
    try:
        load_policy(HEAD + text, "p.yaml")
    except PolicyError as error:
        found = error.problems
    assert found
    assert all(problem.startswith("p.yaml:") for problem in found)


def test_an_executor_that_is_not_installed_is_named_with_those_that_are() -> None:
    (problem,) = problems(HEAD + "acting:\n  executor: teleport\n")
    assert problem.startswith(f"p.yaml:4:13: acting.executor: no executor is named teleport; installed: {INSTALLED}")
    (misspelt,) = problems(HEAD + "acting:\n  executor: evikt\n")
    assert misspelt == "p.yaml:4:13: acting.executor: no executor is named evikt (did you mean evict?)"
    assert load_policy(HEAD + "acting:\n  executor: evict\n").acting.executor == "evict"


def test_arguments_of_executors_are_checked_by_their_own_models() -> None:
    written = "acting:\n  executors:\n    evict: {gently: true}\n    teleport: {}\n"
    assert [problem.partition(": ")[2] for problem in problems(HEAD + written)] == [
        "acting.executors.evict.gently: is not a known key",
        f"acting.executors.teleport: no executor is named teleport; installed: {INSTALLED}",
    ]
    assert list(load_policy(HEAD + "acting: {executors: {evict: }}\n").acting.executors) == ["evict"]


def test_a_use_of_a_strategy_may_have_protections_of_its_own() -> None:
    text = HEAD + "strategies:\n- HotNodes: {}\n- name: batch\n  HotNodes: {}\n  protections: {localStorage: false}\n"
    first, batch = load_policy(text).strategies
    assert first.protections is None
    assert batch.protections == Protections(local_storage=False)
    assert load_policy(policy_yaml(load_policy(text))) == load_policy(text)
    with pytest.raises(PolicyError, match=r"7:17: strategies\[1\]\.protections\.lokalStorage: is not a known key"):
        load_policy(text.replace("localStorage", "lokalStorage"))
