"""What is installed: rights, restrictions, probes; the overlays differ in nothing but the right to act."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from descheduler.execution import intents
from descheduler.execution.directions import DIRECTING, TRYING
from descheduler.execution.executors.evict import Evict
from descheduler.execution.executors.migrate.executor import LiveMigrate
from descheduler.execution.executors.requeue.executor import Requeue
from descheduler.execution.executors.reserve import Reserve
from descheduler.execution.executors.surge.book import BOOKING, SURGES
from descheduler.execution.executors.surge.executor import Surge
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.steering import STEERING
from descheduler.kube.convert.kinds import KINDS, MEASURED
from descheduler.learning import store as ledger_store
from descheduler.model import directing
from descheduler.model.directing import DIRECTIONS
from descheduler.policy import load_policy
from descheduler.publish.recommendations import RIGHTS as RECOMMENDING
from manifests.kustomize import MANIFESTS, Object, named, of_kind, render
from manifests.rules import rules

MORE_RIGHTS = {
    "active-steering": {(r, ()) for r in STEERING},
    "active-reserve": {(r, ()) for r in Reserve.rights},
    "active-live-migrate": {(r, ()) for r in LiveMigrate.rights},
    "active-surge": {*((r, ()) for r in Surge.rights), *((r, (SURGES,)) for r in BOOKING)},
    "active-requeue": {(r, ()) for r in Requeue.rights},
    "active-directed": {*((r, (DIRECTIONS,)) for r in DIRECTING), *((r, ()) for r in TRYING)},
    "active+recommend": {(r, ()) for r in RECOMMENDING},
}
OVERLAYS = ["dry-run", "active", *MORE_RIGHTS]
OWN_RIGHTS = (
    "descheduler-evict",
    "descheduler-acting-state",
    "descheduler-steer",
    "descheduler-reserve",
    "descheduler-recommend",
    "descheduler-direct",
    "descheduler-surge",
    "descheduler-live-migrate",
    "descheduler-requeue",
    "descheduler-requeue-units",
    "descheduler-requeue-commands",
)
OWN_OBJECTS = (*OWN_RIGHTS, directing.NAME, directing.DIRECTIONS)


def container(overlay: str) -> dict[str, Any]:
    (found,) = pod_of(overlay)["containers"]
    return dict(found)


def pod_of(overlay: str) -> dict[str, Any]:
    return dict(named(overlay, "Deployment", "descheduler")["spec"]["template"]["spec"])


@pytest.mark.parametrize("path", sorted(MANIFESTS.rglob("*.yaml")), ids=lambda p: str(p.relative_to(MANIFESTS)))
def test_every_file_is_yaml(path: Path) -> None:
    assert [d for d in yaml.safe_load_all(path.read_text()) if d]


def test_the_role_reads_exactly_what_is_read() -> None:
    (role,) = of_kind("dry-run", "ClusterRole")
    granted = {(g, r) for rule in role["rules"] for g in rule["apiGroups"] for r in rule["resources"]}
    assert granted == {(kind.group, kind.plural) for kind in KINDS.values()}
    listed = {kind.group for kind in MEASURED}
    for rule in role["rules"]:
        assert rule["verbs"] == (["list"] if set(rule["apiGroups"]) <= listed else ["list", "watch"])


def test_a_dry_run_can_change_nothing_but_its_lease() -> None:
    writes = {(g, r, v, n) for g, r, v, n in rules("dry-run") if v not in ("get", "list", "watch")}
    assert writes == {
        ("coordination.k8s.io", "leases", "update", ("descheduler",)),
        ("coordination.k8s.io", "leases", "create", ()),
    }
    own = {r for role in of_kind("dry-run", "Role") for rule in role["rules"] for r in rule["resources"]}
    assert own == {"leases", "configmaps"}


def test_active_adds_the_eviction_api_events_and_a_memory_and_nothing_else() -> None:
    added = set(rules("active")) - set(rules("dry-run"))
    assert added == {
        ("", "pods/eviction", "create", ()),
        ("", "pods", "get", ()),
        ("events.k8s.io", "events", "create", ()),
        ("", "configmaps", "update", (intents.NAME, ledger_store.NAME)),
        ("", "configmaps", "get", (intents.NAME, "descheduler-policy")),
        ("", "configmaps", "create", ()),
    }


def test_active_grants_what_evicting_needs() -> None:
    assert {(r.group, r.resource, r.verb, ()) for r in Evict.rights} <= set(rules("active"))


@pytest.mark.parametrize("overlay", MORE_RIGHTS)
def test_what_acts_in_another_way_is_granted_what_it_needs_and_nothing_else(overlay: str) -> None:
    needed = {(r.group, r.resource, r.verb, names) for r, names in MORE_RIGHTS[overlay]}
    assert set(rules(overlay)) - set(rules("active")) == needed - set(rules("active"))
    assert needed - set(rules("active"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_rule_has_a_wildcard(overlay: str) -> None:
    assert all("*" not in (g, r, v) for g, r, v, _ in rules(overlay))


def test_overlays_differ_only_in_mode_and_rights() -> None:
    def without_mode(overlay: str) -> list[Object]:
        objects = [o for o in render(overlay) if o["metadata"]["name"] not in OWN_OBJECTS]
        return [o if o["kind"] != "Deployment" else {**o, "spec": None} for o in objects]

    assert all(without_mode(overlay) == without_mode("dry-run") for overlay in OVERLAYS)
    arguments = {overlay: container(overlay)["args"] for overlay in OVERLAYS}
    assert arguments["dry-run"][:-1] == arguments["active"][:-1]
    assert all(arguments[overlay] == arguments["active"] for overlay in MORE_RIGHTS)
    assert (arguments["dry-run"][-1], arguments["active"][-1]) == ("--mode=dry-run", "--mode=active")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_roles_are_bound_to_the_account_that_runs(overlay: str) -> None:
    bindings = (*of_kind(overlay, "ClusterRoleBinding"), *of_kind(overlay, "RoleBinding"))
    bound = {(b["roleRef"]["kind"], b["roleRef"]["name"]) for b in bindings}
    roles = (*of_kind(overlay, "ClusterRole"), *of_kind(overlay, "Role"))
    assert bound == {(r["kind"], r["metadata"]["name"]) for r in roles}
    account = {"kind": "ServiceAccount", "name": "descheduler", "namespace": "descheduler"}
    assert all(b["subjects"] == [account] for b in bindings)
    assert pod_of(overlay)["serviceAccountName"] == "descheduler"
    assert not named(overlay, "ServiceAccount", "descheduler")["automountServiceAccountToken"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_pod_is_restricted(overlay: str) -> None:
    pod, own = pod_of(overlay), container(overlay)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {next(iter(v.keys() - {"name"})) for v in pod["volumes"]} == {"configMap", "emptyDir"}
    labels = named(overlay, "Namespace", "descheduler")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_container_file_runs_as_the_user_of_the_deployment() -> None:
    text = (MANIFESTS.parent / "Containerfile").read_text()
    user = pod_of("dry-run")["securityContext"]["runAsUser"]
    assert f"USER {user}:{user}" in text


def test_probes_ask_the_pages_that_exist() -> None:
    own = container("dry-run")
    assert own["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert own["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert own["resources"]["requests"].keys() == {"cpu", "memory"}
    port = own["ports"][0]
    assert f"--port={port['containerPort']}" in own["args"]
    (service,) = of_kind("dry-run", "Service")
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    assert service["spec"]["publishNotReadyAddresses"]


def test_it_has_time_to_finish_what_it_began() -> None:
    policy = load_policy((MANIFESTS / "base" / "policy.yaml").read_text())
    assert pod_of("active")["terminationGracePeriodSeconds"] >= 2 * ExecutionLimits.of(policy.acting).finish_on_stop


def test_it_does_not_move_itself() -> None:
    template = named("active", "Deployment", "descheduler")["spec"]["template"]
    assert template["metadata"]["annotations"]["descheduler.alpha.kubernetes.io/evict"] == "false"


def test_the_policy_is_valid_and_where_the_pod_looks_for_it() -> None:
    text = named("dry-run", "ConfigMap", "descheduler-policy")["data"]["policy.yaml"]
    policy = load_policy(text)
    assert policy.mode == "dry-run"
    assert [s.strategy for s in policy.strategies] == ["HotNodes", "GpuDefragmentation", "IdleGpu"]
    mounts = {m["name"]: m["mountPath"] for m in container("dry-run")["volumeMounts"]}
    assert f"--policy={mounts['policy']}/policy.yaml" in container("dry-run")["args"]
    assert f"--store={mounts['store']}" in container("dry-run")["args"]
    assert f"--archive={mounts['archive']}" in container("dry-run")["args"]


def test_history_outlives_the_pod_on_a_volume_of_its_own() -> None:
    overlay = "dry-run+history"
    (claim,) = of_kind(overlay, "PersistentVolumeClaim")
    volumes = {v["name"]: v for v in pod_of(overlay)["volumes"]}
    assert volumes["archive"] == {
        "name": "archive",
        "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]},
    }
    assert named(overlay, "Deployment", "descheduler")["spec"]["strategy"] == {
        "type": "Recreate",
        "rollingUpdate": None,
    }
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
    assert any(v["name"] == "archive" and "emptyDir" in v for v in pod_of("dry-run")["volumes"])


def test_traffic_is_limited_both_ways() -> None:
    (policy,) = of_kind("dry-run", "NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "descheduler"}
    ports = {p["port"] for rule in policy["spec"]["egress"] for p in rule["ports"]}
    assert ports == {53, 443, 6443, 9090}


def test_authenticated_pages_may_ask_for_reviews_and_bind_nobody() -> None:
    plain = {(o["kind"], o["metadata"]["name"]): o for o in render("dry-run")}
    found = {(o["kind"], o["metadata"]["name"]): o for o in render("dry-run+authenticated-pages")}
    added = {key: value for key, value in found.items() if key not in plain}
    assert added.keys() == {
        ("ClusterRole", "descheduler-authenticate"),
        ("ClusterRoleBinding", "descheduler-authenticate"),
        ("ClusterRole", "descheduler-pages-reader"),
        ("ClusterRole", "descheduler-metrics-reader"),
    }
    rules = added["ClusterRole", "descheduler-authenticate"]["rules"]
    assert {
        (g, r, v) for rule in rules for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]
    } == {
        ("authentication.k8s.io", "tokenreviews", "create"),
        ("authorization.k8s.io", "subjectaccessreviews", "create"),
    }
    assert "--authenticate" in found["Deployment", "descheduler"]["spec"]["template"]["spec"]["containers"][0]["args"]


def test_over_tls_probes_ask_by_tls_and_the_certificate_is_where_the_server_looks() -> None:
    (deployment,) = [o for o in render("active+tls+authenticated-pages") if o["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    (own,) = pod["containers"]
    assert own["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http", "scheme": "HTTPS"}
    assert own["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http", "scheme": "HTTPS"}
    mounts = {m["name"]: m["mountPath"] for m in own["volumeMounts"]}
    assert f"--tls-cert-file={mounts['tls']}/tls.crt" in own["args"]
    assert f"--tls-private-key-file={mounts['tls']}/tls.key" in own["args"]
    assert {"name": "tls", "secret": {"secretName": "descheduler-tls"}} in pod["volumes"]
