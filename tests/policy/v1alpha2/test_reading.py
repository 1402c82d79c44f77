"""A policy of the Kubernetes SIG's descheduler means here what it meant there, and its silent mistakes are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from descheduler.policy import Policy, load_policy, written_policy
from descheduler.policy.protections import PriorityThreshold, Protections, VolumeProtection
from descheduler.policy.v1alpha2.sections import MOUNTED, OWN_TOKEN
from policy.v1alpha2.policies import CHART, HEAD, problems, with_evictor

IGNORED = "; the Kubernetes SIG's descheduler ignores it silently (--lenient lets it pass)"


def protections(args: str) -> Protections:
    return load_policy(with_evictor(args)).protections


# -- what it means -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "same"),
    [
        ("{}", {}),
        ("null", {}),
        ("{nodeFit: true, minReplicas: 1, noEvictionPolicy: Preferred, labelSelector: {}}", {}),
        ("{evictLocalStoragePods: true}", {"local_storage": False}),
        ("{evictSystemCriticalPods: true}", {"system_critical": False}),
        ("{evictDaemonSetPods: true}", {"daemon_sets": False}),
        ("{evictFailedBarePods: true}", {"failed_bare_pods": False}),
        ("{ignorePvcPods: true}", {"persistent_volumes": VolumeProtection(protect=True)}),
        ("{ignorePodsWithoutPDB: true}", {"without_budget": True}),
        (
            "{podProtections: {defaultDisabled: [PodsWithLocalStorage, SystemCriticalPods, DaemonSetPods]}}",
            {"local_storage": False, "system_critical": False, "daemon_sets": False},
        ),
        ("{podProtections: {defaultDisabled: [FailedBarePods]}}", {"failed_bare_pods": False}),
        (
            "{podProtections: {extraEnabled: [PodsWithPVC, PodsWithoutPDB, PodsWithResourceClaims]}}",
            {"persistent_volumes": VolumeProtection(protect=True), "without_budget": True, "resource_claims": True},
        ),
        (
            "{podProtections: {extraEnabled: [PodsWithPVC], "
            "config: {PodsWithPVC: {protectedStorageClasses: [{name: local}, {name: fast}]}}}}",
            {"persistent_volumes": VolumeProtection(protect=True, storage_classes=("local", "fast"))},
        ),
        ("{priorityThreshold: {value: 1000}}", {"priority_threshold": PriorityThreshold(value=1000)}),
        ("{priorityThreshold: {name: high}}", {"priority_threshold": PriorityThreshold(name="high")}),
        ("{priorityThreshold: {value: null, name: ''}}", {}),
        # ignored there once critical pods are not protected
        ("{priorityThreshold: {value: 5}, evictSystemCriticalPods: true}", {"system_critical": False}),
        ("{minReplicas: 3}", {"min_replicas": 3}),
        ("{minPodAge: 1h30m}", {"min_pod_age": timedelta(minutes=90)}),
        ("{minPodAge: 1500ms}", {"min_pod_age": timedelta(seconds=1.5)}),
        ("{noEvictionPolicy: Mandatory}", {"no_eviction_policy": "Mandatory"}),
    ],
)
def test_every_argument_of_the_evictor_has_its_place(args: str, same: dict[str, Any]) -> None:
    assert protections(args) == Protections(**same)


def test_selectors_of_labels_and_namespaces_mean_the_same() -> None:
    found = protections(
        "{labelSelector: {matchLabels: {app: web}, matchExpressions: [{key: tier, operator: Exists}]}, "
        "namespaceLabelSelector: {matchExpressions: [{key: rebalance, operator: In, values: ['on', 'yes']}]}}"
    )
    assert found.label_selector is not None
    assert found.namespace_label_selector is not None
    pods, namespaces = found.label_selector.selector(), found.namespace_label_selector.selector()
    assert pods.matches({"app": "web", "tier": "x"})
    assert not pods.matches({"app": "web"})
    assert namespaces.matches({"rebalance": "yes"})


def test_the_nodes_of_the_evictor_count_with_node_fit() -> None:
    found = protections("{nodeFit: true, nodeSelector: 'pool=general'}").node_selector
    assert found is not None
    assert found.match_labels == {"pool": "general"}


def test_limits_that_are_not_given_are_none() -> None:
    limits = load_policy(HEAD).limits
    assert (limits.per_node, limits.per_namespace, limits.per_cycle, limits.per_hour) == (None, None, None, None)
    assert limits.per_workload == "10%"
    given = load_policy(
        HEAD + "maxNoOfPodsToEvictPerNode: 5\nmaxNoOfPodsToEvictPerNamespace: 0\nmaxNoOfPodsToEvictTotal: 30\n"
    ).limits
    assert (given.per_node, given.per_namespace, given.per_cycle) == (5, 0, 30)


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("pool=general", {"pool": "general"}, {"pool": "batch"}),
        ("pool==general , !spot", {"pool": "general"}, {"pool": "general", "spot": "true"}),
        ("pool!=batch", {}, {"pool": "batch"}),
        ("zone in (a, b),pool", {"zone": "b", "pool": ""}, {"zone": "c", "pool": ""}),
        ("zone notin (a,b)", {"zone": "c"}, {"zone": "a"}),
        ("cores>16, cores<64", {"cores": "32"}, {"cores": "64"}),
        ("node-role.kubernetes.io/worker=", {"node-role.kubernetes.io/worker": ""}, {}),
        ("a=1,a=1", {"a": "1"}, {"a": "2"}),
        ("a=1,a in (1,2)", {"a": "1"}, {"a": "2"}),
    ],
)
def test_nodes_are_selected_by_a_text_as_kubectl_does(
    text: str, matching: dict[str, str], other: dict[str, str]
) -> None:
    selector = load_policy(f"{HEAD}nodeSelector: '{text}'\n").node_selector
    assert selector is not None
    assert selector.selector().matches(matching)
    assert not selector.selector().matches(other)


@pytest.mark.parametrize("text", ["a=b,", "a in b", "=b", "a=b c", "a=$", "a>x", "in (a)", "a,,b", "!", "a=b=c"])
def test_a_text_that_selects_nothing_sensible_is_a_problem_at_its_place(text: str) -> None:
    (problem,) = problems(f"{HEAD}nodeSelector: '{text}'\n")
    assert problem.startswith("p.yaml:3:15: nodeSelector: ")


def test_no_text_selects_all_nodes() -> None:
    assert load_policy(f"{HEAD}nodeSelector: ''\n").node_selector is None


def test_the_server_of_metrics_is_that_of_our_history() -> None:
    text = HEAD + "metricsProviders: [{source: Prometheus, prometheus: {url: 'https://prometheus:9090'}}]\n"
    own = load_policy(text).history
    assert (own.url, own.auth.bearer_token_file) == ("https://prometheus:9090", OWN_TOKEN)
    token = text.replace("9090'", "9090', authToken: {secretReference: {namespace: kube-system, name: token}}")
    written = written_policy(token)
    assert written.policy.history.auth.bearer_token_file == MOUNTED
    assert "Secret kube-system/token" in written.differs["history.auth.bearerTokenFile"]
    assert load_policy(HEAD + "metricsProviders: [{source: KubernetesMetrics}]\n").history.url is None


def test_the_rest_of_the_file_has_its_place_too() -> None:
    written = written_policy(f"{HEAD}gracePeriodSeconds: 60\nevictionFailureEventNotification: true\n")
    assert written.policy.acting.grace_period_seconds == 60
    assert written.dropped == (
        "evictionFailureEventNotification: an event always tells of a pod that could not be evicted",
    )


def test_it_acts_only_where_somebody_else_says_so() -> None:
    policy = load_policy(CHART)
    assert policy.mode == "dry-run"
    assert "mode" not in policy.model_fields_set


def test_no_policy_at_all_is_a_valid_one() -> None:
    assert load_policy(HEAD) == load_policy(HEAD + "profiles: null\nnodeSelector: null\n")
    assert load_policy(HEAD).strategies == ()


# -- profiles ----------------------------------------------------------------------------

TWICE = """\
profiles:
- name: old
  pluginConfig:
  - {name: PodLifeTime, args: {maxPodLifeTimeSeconds: 86400}}
  plugins: {deschedule: {enabled: [PodLifeTime]}}
- name: failed
  pluginConfig:
  - {name: DefaultEvictor, args: {evictFailedBarePods: true}}
  - {name: PodLifeTime, args: {maxPodLifeTimeSeconds: 60, states: [Failed]}}
  - {name: RemoveFailedPods}
  plugins: {deschedule: {enabled: [PodLifeTime, RemoveFailedPods]}}
"""


def test_profiles_keep_their_own_arguments_and_protections() -> None:
    old, failed, other = load_policy(HEAD + TWICE).strategies
    assert (old.name, failed.name, other.name) == ("old/PodLifeTime", "failed/PodLifeTime", "RemoveFailedPods")
    assert old.protections is None
    assert failed.protections == other.protections == Protections(failed_bare_pods=False)
    assert old.args != failed.args


def test_profiles_of_one_name_are_told_apart() -> None:
    names = [use.name for use in load_policy(HEAD + TWICE.replace("name: failed", "name: old")).strategies]
    assert names == ["old/PodLifeTime", "old/PodLifeTime 2", "RemoveFailedPods"]


def test_a_plugin_without_a_configuration_has_its_defaults_where_it_has_any() -> None:
    enabled = "profiles:\n- name: p\n  plugins: {deschedule: {enabled: [RemoveFailedPods]}}\n"
    assert [use.strategy for use in load_policy(HEAD + enabled).strategies] == ["RemoveFailedPods"]
    needy = enabled.replace("deschedule", "balance").replace("RemoveFailedPods", "LowNodeUtilization")
    assert problems(HEAD + needy) == [
        "p.yaml:5:33: profiles[0].plugins.balance.enabled[0].targetThresholds: is required",
        "p.yaml:5:33: profiles[0].plugins.balance.enabled[0].thresholds: is required",
    ]


def test_what_is_configured_and_not_enabled_does_not_run_and_is_said() -> None:
    written = written_policy(HEAD + TWICE.replace("[PodLifeTime, RemoveFailedPods]", "[PodLifeTime]"))
    assert [use.strategy for use in written.policy.strategies] == ["PodLifeTime", "PodLifeTime"]
    assert written.dropped == ("failed: RemoveFailedPods is configured and not enabled",)


def test_filters_may_be_named_that_are_there_anyway() -> None:
    filters = "filter: {enabled: [DefaultEvictor]}, preevictionfilter: {enabled: [DefaultEvictor]}"
    named = TWICE.replace("plugins: {", f"plugins: {{{filters}, ")
    assert load_policy(HEAD + named) == load_policy(HEAD + TWICE)


# -- mistakes ----------------------------------------------------------------------------

SILENT = {
    "maxNoOfPodsToEvictPerNod: 5\n": (
        "p.yaml:3:1: maxNoOfPodsToEvictPerNod: is not a known key (did you mean maxNoOfPodsToEvictPerNode?)"
    ),
    "profiles: [{name: p, plugins: {preEvictionFilter: {enabled: [DefaultEvictor]}}}]\n": (
        "p.yaml:3:32: profiles[0].plugins.preEvictionFilter: is not a known key (did you mean preevictionfilter?)"
    ),
    "profiles: [{name: p, plugins: {evictor: {enabled: [DefaultEvictor]}}}]\n": (
        "p.yaml:3:32: profiles[0].plugins.evictor: is not a known key (DefaultEvictor is enabled by itself)"
    ),
    "profiles: [{name: p, plugins: {sort: {enabled: [Whatever]}}}]\n": (
        "p.yaml:3:39: profiles[0].plugins.sort.enabled: has no effect: nothing is sorted by plugins"
    ),
    "profiles: [{name: p, plugins: {presort: {enabled: [Whatever]}}}]\n": (
        "p.yaml:3:42: profiles[0].plugins.presort.enabled: has no effect: nothing is sorted by plugins"
    ),
    "profiles: [{name: p, plugins: {balance: {disabled: [RemoveDuplicates]}}}]\n": (
        "p.yaml:3:42: profiles[0].plugins.balance.disabled: has no effect: leave out of enabled what shall not run"
    ),
    "profiles: [{name: p, pluginConfig: [{name: DefaultEvictor, nodeFit: true}]}]\n": (
        "p.yaml:3:60: profiles[0].pluginConfig[0].nodeFit: is not a known key here (it belongs under args)"
    ),
    "profiles: [{name: p, pluginConfig: [{name: RemoveFailedPods}, {name: RemoveFailedPods, args: {}}]}]\n": (
        "p.yaml:3:64: profiles[0].pluginConfig[1].name: RemoveFailedPods is configured twice in this profile, first by "
        "profiles[0].pluginConfig[0]"
    ),
    "profiles: [{name: p, pluginConfig: [{name: DefaultEvictor, args: {nodeSelector: a=b}}]}]\n": (
        "p.yaml:3:67: profiles[0].pluginConfig[0].args.nodeSelector: has no effect without nodeFit: true"
    ),
    "profiles: [{name: p, pluginConfig: [{name: DefaultEvictor, args: {podProtections: "
    "{config: {PodsWithPVC: {protectedStorageClasses: [{name: x}]}}}}}]}]\n": (
        "p.yaml:3:84: profiles[0].pluginConfig[0].args.podProtections.config: has no effect without PodsWithPVC in "
        "extraEnabled"
    ),
}


@pytest.mark.parametrize("text", SILENT)
def test_what_its_own_loader_ignores_is_a_problem(text: str) -> None:
    assert problems(HEAD + text) == [SILENT[text] + IGNORED]


@pytest.mark.parametrize("text", SILENT)
def test_and_a_warning_where_it_is_to_be_let_pass(text: str) -> None:
    written = written_policy(HEAD + text, "p.yaml", lenient=True)
    assert isinstance(written.policy, Policy)
    assert [one.partition("; the Kubernetes")[0] for one in written.warnings] == [SILENT[text]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            with_evictor("{nodeFitt: true}"),
            "p.yaml:7:12: profiles[0].pluginConfig[0].args.nodeFitt: is not a known key (did you mean nodeFit?)",
        ),
        (
            with_evictor("{evictLocalStoragePods: true, podProtections: {extraEnabled: [PodsWithPVC]}}"),
            "p.yaml:7:11: profiles[0].pluginConfig[0].args: evictLocalStoragePods is the former name of a "
            "podProtection: give all of them there",
        ),
        (
            with_evictor("{podProtections: {extraEnabled: [PodsWithPVC, PodsWithPVC]}}"),
            "p.yaml:7:28: profiles[0].pluginConfig[0].args.podProtections: extraEnabled names a protection twice",
        ),
        (
            with_evictor("{podProtections: {defaultDisabled: [PodsWithPVC]}}"),
            "p.yaml:7:47: profiles[0].pluginConfig[0].args.podProtections.defaultDisabled[0]: must be one of "
            "PodsWithLocalStorage, DaemonSetPods, SystemCriticalPods, FailedBarePods, not PodsWithPVC",
        ),
        (
            with_evictor("{priorityThreshold: {value: 1, name: high}}"),
            "p.yaml:7:31: profiles[0].pluginConfig[0].args.priorityThreshold: give one of value and name",
        ),
        (
            with_evictor("{priorityThreshold: {value: 2000000001}}"),
            "p.yaml:7:39: profiles[0].pluginConfig[0].args.priorityThreshold.value: must be at most 2000000000",
        ),
        (
            with_evictor("{minPodAge: 10}"),
            "p.yaml:7:23: profiles[0].pluginConfig[0].args.minPodAge: must be a duration such as "
            '"30s", "10m" or "1h30m"',
        ),
        (
            f"{HEAD}profiles: [{{name: p, pluginConfig: [{{name: PodLifetime}}]}}]\n",
            "p.yaml:3:44: profiles[0].pluginConfig[0].name: no plugin is named PodLifetime (did you mean PodLifeTime?)",
        ),
        (
            f"{HEAD}profiles: [{{name: p, plugins: {{balance: {{enabled: [RemoveFailedPods]}}}}}}]\n",
            "p.yaml:3:52: profiles[0].plugins.balance.enabled[0]: RemoveFailedPods is no plugin of balance: it belongs "
            "under deschedule",
        ),
        (
            f"{HEAD}profiles: [{{name: p, plugins: {{filter: {{enabled: [RemoveFailedPods]}}}}}}]\n",
            "p.yaml:3:51: profiles[0].plugins.filter.enabled[0]: RemoveFailedPods is no filter: it belongs under "
            "deschedule",
        ),
        (f"{HEAD}maxNoOfPodsToEvictTotal: -1\n", "p.yaml:3:26: maxNoOfPodsToEvictTotal: must be at least 0"),
        (f'{HEAD}maxNoOfPodsToEvictTotal: "5"\n', "p.yaml:3:26: maxNoOfPodsToEvictTotal: must be a whole number"),
        (
            f"{HEAD}metricsProviders: [{{source: Prometheus}}]\n",
            "p.yaml:3:20: metricsProviders[0]: source Prometheus needs prometheus.url",
        ),
        (
            f"{HEAD}metricsProviders: [{{source: KubernetesMetrics}}, {{source: KubernetesMetrics}}]\n",
            "p.yaml:1:1: metricsProviders names KubernetesMetrics twice",
        ),
        (
            "apiVersion: descheduler/v1alpha1\nkind: DeschedulerPolicy\nstrategies: {}\n",
            "p.yaml:1:13: apiVersion: must be rebalance.descheduler.dev/v1alpha1, not descheduler/v1alpha1 (of the "
            "Kubernetes SIG's descheduler descheduler/v1alpha2 is read, and older formats are not, as there)",
        ),
    ],
)
def test_mistakes_are_told_at_their_place(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_a_mistake_hides_no_other() -> None:
    found = problems(HEAD + "maxNoOfPodsToEvictPerNod: 1\n" + TWICE.replace("RemoveFailedPods}", "RemoveFailedPod}"))
    assert len(found) == 2


def test_arguments_may_name_their_own_kind() -> None:
    named = "{apiVersion: descheduler/v1alpha2, kind: DefaultEvictorArgs, minReplicas: 2}"
    assert protections(named).min_replicas == 2
