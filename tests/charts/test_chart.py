"""The chart is what the overlays are, object by object, and refuses values that mean nothing."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from charts.helm_program import CHART, Object, helm, render
from descheduler.policy import default_policy_text, load_policy
from manifests import kustomize

ACTIVE = ("mode=active",)
MONITORING = ("serviceMonitor.enabled=true", "prometheusRule.enabled=true")
SAME = {
    "dry-run": (),
    "active": ACTIVE,
    "active-directed": (*ACTIVE, "acting.directed=true"),
    "active-steering": (*ACTIVE, "acting.steered=true"),
    "active-reserve": (*ACTIVE, "acting.reserve=true"),
    "active-surge": (*ACTIVE, "acting.surge=true"),
    "active-requeue": (*ACTIVE, "acting.requeue=true"),
    "active-live-migrate": (*ACTIVE, "acting.liveMigrate=true"),
    "dry-run+recommend": ("recommend=true",),
    "active+tls+authenticated-pages": (*ACTIVE, "tls.enabled=true", "authenticate=true"),
    "dry-run+two-replicas": ("replicas=2",),
    "dry-run+history": ("history.persistent=true",),
    "active+monitoring+dashboard": (*ACTIVE, *MONITORING, "dashboard.enabled=true"),
}
"""Overlays, and the values that make the chart the same."""
OF_HELM = {f"app.kubernetes.io/{name}" for name in ("instance", "version", "managed-by")} | {"helm.sh/chart"}


def alike(objects: tuple[Object, ...]) -> dict[tuple[str, str], Object]:
    """Without what only tells who installed it, and with texts of YAML and JSON as what they say."""
    found: dict[tuple[str, str], Object] = {}
    for one in copy.deepcopy(objects):
        labels = one["metadata"].get("labels", {})
        one["metadata"]["labels"] = {key: value for key, value in labels.items() if key not in OF_HELM}
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] in ("descheduler-policy", "descheduler-dashboard"):
            one["data"] = {key: yaml.safe_load(text) for key, text in one["data"].items()}
        if one["kind"] == "Deployment":
            (own,) = one["spec"]["template"]["spec"]["containers"]
            own["args"].sort()
            own["volumeMounts"].sort(key=lambda mount: str(mount["name"]))
            one["spec"]["template"]["spec"]["volumes"].sort(key=lambda volume: str(volume["name"]))
        found[one["kind"], one["metadata"]["name"]] = one if "Policy" not in one["kind"] else folded(one)
    return found


def folded(value: Any) -> Any:
    """With one blank for each gap in a text: kustomize folds long expressions with more lines between."""
    if isinstance(value, dict):
        return {key: folded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [folded(inner) for inner in value]
    return " ".join(value.split()) if isinstance(value, str) else value


@pytest.mark.parametrize("overlay", SAME)
def test_the_chart_is_what_the_overlay_is(overlay: str) -> None:
    chart, overlays = alike(render(*SAME[overlay])), alike(kustomize.render(overlay))
    assert chart.keys() == overlays.keys() - {("Namespace", "descheduler")}  # Helm makes it, or finds it
    for key, one in chart.items():
        assert one == overlays[key], key


def test_every_overlay_has_its_values() -> None:
    assert {path.name for path in (kustomize.MANIFESTS / "overlays").iterdir()} <= SAME.keys()
    components = {name for overlay in SAME for name in overlay.split("+")[1:]}
    of_overlays = {"direct", "steer", "reserve", "surge", "requeue", "live-migrate"}
    assert {path.name for path in (kustomize.MANIFESTS / "components").iterdir()} == components | of_overlays


def test_what_is_made_from_the_manifests_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(CHART.parents[1] / "release" / "chart.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, f"make chart makes these anew:\n{done.stdout}{done.stderr}"


def test_in_another_namespace_nothing_is_left_in_that_of_the_overlays() -> None:
    everything = {setting for settings in SAME.values() for setting in settings} - {"mode=active"}
    objects = render(*ACTIVE, *sorted(everything), namespace="elsewhere")
    assert {one["metadata"].get("namespace", "elsewhere") for one in objects} == {"elsewhere"}
    subjects = [who for one in objects for who in one.get("subjects", ())]
    assert subjects
    assert all(who["namespace"] == "elsewhere" for who in subjects)
    policy = next(one for one in objects if one["kind"] == "ValidatingAdmissionPolicy")
    assert "'system:serviceaccount:elsewhere:descheduler'" in str(policy["spec"]["matchConditions"])
    binding = next(one for one in objects if one["kind"] == "MutatingAdmissionPolicyBinding")
    assert binding["spec"]["paramRef"]["namespace"] == "elsewhere"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("mode=Active", "/mode"),
        ("replica=2", "replica"),
        ("policy.history.ulr=http://x", "ulr"),
        ("policy.strategies[0].HotNodes.thresholds.cpu=much", "cpu"),
        ("policy.acting.executor=surgee", "executor"),
        ("acting.steering=true", "steering"),
        ("image.digest=sha256:12", "digest"),
    ],
)
def test_a_typo_is_refused_before_anything_is_installed(setting: str, said: str) -> None:
    done = helm("template", "release", str(CHART), "--set", setting)
    assert done.returncode != 0
    assert said in done.stderr


def test_values_that_mean_something_are_taken() -> None:
    """The twin: sections of the policy are merged with those that are there."""
    settings = ("policy.history.window=14d", "policy.acting.executor={surge,evict}", "policy.limits.perCycle=5")
    (text,) = [one for one in render(*settings) if one["metadata"]["name"] == "descheduler-policy"]
    policy = load_policy(text["data"]["policy.yaml"])
    assert policy.history.url == "http://prometheus-operated.monitoring.svc:9090"
    assert policy.limits.per_cycle == 5


def test_the_whole_default_policy_is_taken(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({"policy": yaml.safe_load(default_policy_text())}))
    done = helm("template", "release", str(CHART), "--values", str(tmp_path / "values.yaml"))
    assert done.returncode == 0, done.stderr


def test_the_chart_has_no_faults_that_helm_knows_of() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout


def egress(*settings: str) -> dict[str, Any]:
    """The rule by which Prometheus is reached."""
    (policy,) = [one for one in render(*settings) if one["kind"] == "NetworkPolicy"]
    found: dict[str, Any] = policy["spec"]["egress"][2]
    return found


@pytest.mark.parametrize(
    ("url", "namespace", "port"),
    [
        ("http://prometheus-operated.monitoring.svc:9090", "monitoring", 9090),
        ("http://vm.metrics:8428/select/0/prometheus", "metrics", 8428),
        ("https://thanos-query.thanos.svc.cluster.local", "thanos", 443),
        ("http://prometheus:9090", "descheduler", 9090),
        ("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/a", "", 443),
        ("http://10.0.0.7:9090", "", 9090),
    ],
)
def test_the_network_policy_lets_to_where_the_history_is(url: str, namespace: str, port: int) -> None:
    rule = egress(f"policy.history.url={url}")
    assert rule["ports"] == [{"port": port}]
    names = [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in rule.get("to", ())]
    assert names == ([namespace] if namespace else [])


def test_the_network_policy_goes_by_values_where_they_say_more() -> None:
    """As of a Service on port 80 in front of pods that listen on another."""
    prometheus = "networkPolicy.prometheus"
    rule = egress(
        f"{prometheus}.port=9091",
        f"{prometheus}.namespace=observability",
        f"{prometheus}.podLabels.app=prometheus",
    )
    assert rule["ports"] == [{"port": 9091}]
    (peer,) = rule["to"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "observability"}
    assert peer["podSelector"]["matchLabels"] == {"app": "prometheus"}


@pytest.mark.parametrize(
    ("settings", "budgets"),
    [
        ((), 0),
        (("replicas=2",), 1),
        (("podDisruptionBudget.enabled=true",), 1),
        (("replicas=2", "podDisruptionBudget.enabled=false"), 0),
    ],
)
def test_there_is_a_budget_where_it_lets_somebody_go(settings: tuple[str, ...], budgets: int) -> None:
    assert sum(one["kind"] == "PodDisruptionBudget" for one in render(*settings)) == budgets


def test_the_image_is_named_by_its_digest_where_there_is_one() -> None:
    digest = f"sha256:{'a' * 64}"
    (deployment,) = [one for one in render(f"image.digest={digest}", "image.tag=x") if one["kind"] == "Deployment"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == f"descheduler@{digest}"


def test_versions_are_those_of_the_program() -> None:
    from descheduler import __version__

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    assert json.loads((CHART / "values.schema.json").read_text())["$defs"]
