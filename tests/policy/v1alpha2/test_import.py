"""`policy import`: our policy as text means what was read, says what differs, and stays as it is when read again."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.policy import load_policy, written_policy
from descheduler.policy.writing import imported_yaml, policy_yaml
from policy.v1alpha2.policies import HEAD, with_evictor

WORDS = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
SELECTORS = st.one_of(
    st.just({}),
    st.dictionaries(WORDS, WORDS, min_size=1, max_size=2).map(lambda labels: {"matchLabels": labels}),
    st.lists(
        st.one_of(
            st.fixed_dictionaries({"key": WORDS, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
            st.fixed_dictionaries(
                {
                    "key": WORDS,
                    "operator": st.sampled_from(["In", "NotIn"]),
                    "values": st.lists(WORDS, min_size=1, max_size=2),
                }
            ),
        ),
        min_size=1,
        max_size=2,
    ).map(lambda found: {"matchExpressions": found}),
)
NODES = st.lists(
    st.one_of(
        WORDS,
        WORDS.map(lambda key: f"!{key}"),
        st.tuples(WORDS, st.sampled_from(["=", "==", "!=", " in ", " notin "]), WORDS).map(
            lambda one: f"{one[0]}{one[1]}({one[2]}, x)" if "in" in one[1] else "".join(one)
        ),
        st.tuples(WORDS, st.integers(0, 99)).map(lambda one: f"{one[0]}>{one[1]}"),
    ),
    max_size=3,
).map(",".join)
DURATIONS = st.tuples(st.integers(0, 50), st.integers(0, 59), st.integers(0, 999)).map(
    lambda t: "{}h{}m{}ms".format(*t)
)
BY_DEFAULT = ["PodsWithLocalStorage", "DaemonSetPods", "SystemCriticalPods", "FailedBarePods"]
EXTRA = ["PodsWithPVC", "PodsWithoutPDB", "PodsWithResourceClaims"]
NEW = st.fixed_dictionaries(
    {},
    optional={
        "defaultDisabled": st.lists(st.sampled_from(BY_DEFAULT), unique=True),
        "extraEnabled": st.lists(st.sampled_from(EXTRA), unique=True),
    },
).map(lambda found: {"podProtections": found})
OLD = st.fixed_dictionaries(
    {},
    optional={
        name: st.booleans()
        for name in (
            "evictLocalStoragePods",
            "evictDaemonSetPods",
            "evictSystemCriticalPods",
            "evictFailedBarePods",
            "ignorePvcPods",
            "ignorePodsWithoutPDB",
        )
    },
)
PRIORITIES = st.one_of(
    st.integers(-(2**31), 2_000_000_000).map(lambda value: {"value": value}), WORDS.map(lambda name: {"name": name})
)
EVICTORS = st.tuples(
    st.one_of(NEW, OLD),
    st.fixed_dictionaries(
        {},
        optional={
            "labelSelector": SELECTORS,
            "namespaceLabelSelector": SELECTORS,
            "priorityThreshold": PRIORITIES,
            "minReplicas": st.integers(0, 5),
            "minPodAge": DURATIONS,
            "noEvictionPolicy": st.sampled_from(["Preferred", "Mandatory"]),
        },
    ),
    st.one_of(
        st.just({}),
        st.booleans().map(lambda on: {"nodeFit": on}),
        NODES.map(lambda n: {"nodeFit": True, "nodeSelector": n}),
    ),
).map(lambda parts: {**parts[0], **parts[1], **parts[2]})
LIFETIMES = st.fixed_dictionaries(
    {"maxPodLifeTimeSeconds": st.integers(1, 10**6)},
    optional={"states": st.lists(st.sampled_from(["Running", "Pending", "CrashLoopBackOff"]), min_size=1, unique=True)},
)


@st.composite
def profiles(draw: st.DrawFn) -> dict[str, Any]:
    configs: list[dict[str, Any]] = [{"name": "PodLifeTime", "args": draw(LIFETIMES)}]
    if draw(st.booleans()):
        configs.append({"name": "DefaultEvictor", "args": draw(EVICTORS)})
    plugins: dict[str, Any] = {"deschedule": {"enabled": ["PodLifeTime"]}}
    if draw(st.booleans()):
        plugins["deschedule"]["enabled"].append("RemoveFailedPods")
    return {"name": draw(st.one_of(WORDS, st.just(""))), "pluginConfig": configs, "plugins": plugins}


PROVIDERS = st.one_of(
    st.just([]),
    st.just([{"source": "KubernetesMetrics"}]),
    st.one_of(
        st.just({}),
        WORDS.map(lambda name: {"authToken": {"secretReference": {"namespace": "monitoring", "name": name}}}),
    ).map(lambda token: [{"source": "Prometheus", "prometheus": {"url": "https://prometheus:9090", **token}}]),
)
FILES = st.fixed_dictionaries(
    {"apiVersion": st.just("descheduler/v1alpha2"), "kind": st.just("DeschedulerPolicy")},
    optional={
        "profiles": st.lists(profiles(), max_size=3),
        "nodeSelector": NODES,
        "maxNoOfPodsToEvictPerNode": st.integers(0, 10**6),
        "maxNoOfPodsToEvictPerNamespace": st.integers(0, 10**6),
        "maxNoOfPodsToEvictTotal": st.integers(0, 10**6),
        "gracePeriodSeconds": st.integers(0, 3600),
        "evictionFailureEventNotification": st.booleans(),
        "metricsProviders": PROVIDERS,
    },
)


@given(FILES)
@settings(max_examples=60, deadline=None)
def test_the_text_means_the_same_policy_and_is_stable(file: dict[str, Any]) -> None:
    written = written_policy(yaml.safe_dump(file))
    text = imported_yaml(written, "policy.yaml")
    again = load_policy(text)
    assert again == written.policy
    assert policy_yaml(again) == policy_yaml(written.policy)


def test_what_differs_stands_above_its_setting_and_the_rest_on_top() -> None:
    text = with_evictor("{minReplicas: 2, evictDaemonSetPods: true}") + "evictionFailureEventNotification: true\n"
    lines = imported_yaml(written_policy(text), "theirs.yaml").splitlines()
    assert lines[0].startswith("# From theirs.yaml.")
    assert any(line.startswith("# - D-reserved:") for line in lines)
    assert any(line.startswith("# Not taken over: evictionFailureEventNotification") for line in lines)
    replicas = lines.index("  minReplicas: 2")
    assert lines[replicas - 1].startswith("  # D-min-replicas:")
    assert lines[lines.index("  daemonSets: false") - 1].startswith("  # D-daemonset:")


def test_what_differs_in_a_profile_stands_with_its_use() -> None:
    text = HEAD + (
        "profiles:\n"
        "- {name: a, pluginConfig: [{name: RemoveFailedPods}], plugins: {deschedule: {enabled: [RemoveFailedPods]}}}\n"
        "- name: b\n"
        "  pluginConfig: [{name: RemoveFailedPods}, {name: DefaultEvictor, args: {minReplicas: 4}}]\n"
        "  plugins: {deschedule: {enabled: [RemoveFailedPods]}}\n"
    )
    lines = imported_yaml(written_policy(text), "p.yaml").splitlines()
    assert lines[lines.index("    minReplicas: 4") - 1].startswith("    # D-min-replicas")
