"""A recording without names is the same cluster: same structure, no name left."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.kube.recording.anonymize import Anonymizer
from descheduler.kube.recording.public_names import VALUES
from descheduler.kube.recording.wire_objects import ClusterObjects, cluster_objects
from descheduler.model.dra import CLASSES, SLICES, TAINT_RULES
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import Predicate, prepare
from kube.device_objects import DRIVER, GPU, device_class, gpu_device, resource_slice, taint_rule
from kube.wire_objects import Json, container, meta, node, pod

SECRETS = ("acme", "checkout", "falcon", "rack17", "bluebird", "northpole")


def owned(kind: str, name: str) -> Json:
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": f"uid-falcon-{name}", "controller": True}
    return {"ownerReferences": [owner]}


def checkout_pod(i: int) -> Json:
    """A replica with a bit of everything that names something."""
    return pod(
        f"checkout-7d8f9c-x{i}yz",
        container("bluebird", "registry.acme.com/falcon/checkout:1.2", requests={"cpu": "500m", "acme.com/gpu": "1"}),
        namespace="falcon",
        node=f"rack17-node-{i}",
        metadata={
            "labels": {"app": "checkout", "acme.com/team": "bluebird", "pod-template-hash": "7d8f9c"},
            "annotations": {
                "gang.scheduling.koordinator.sh/groups": '["falcon/checkout","default/bluebird"]',
                "gang.scheduling.koordinator.sh/min-available": "2",
                "scheduling.koordinator.sh/device-allocated": '{"gpu":[{"minor":3}]}',
            },
            **owned("ReplicaSet", "checkout-7d8f9c"),
        },
        nodeSelector={"acme.com/pool": "northpole"},
        tolerations=[{"key": "acme.com/dedicated", "operator": "Equal", "value": "falcon", "effect": "NoSchedule"}],
        topologySpreadConstraints=[
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["checkout"]}]},
                "matchLabelKeys": ["pod-template-hash"],
            }
        ],
        volumes=[{"name": "scratch", "ephemeral": {}}],
        schedulingGroup={"podGroupName": "checkout"},
        priorityClassName="system-cluster-critical",
    )


def rack(i: int) -> Json:
    return node(
        f"rack17-node-{i}",
        metadata={
            "labels": {
                "kubernetes.io/hostname": f"rack17-node-{i}",
                "topology.kubernetes.io/zone": "northpole-1",
                "nvidia.com/gpu.product": "A100",
                "acme.com/pool": "northpole",
            }
        },
        spec={"taints": [{"key": "acme.com/dedicated", "value": "falcon", "effect": "NoSchedule"}]},
        **{"nvidia.com/gpu": "8"},
    )


def objects() -> ClusterObjects:
    claims = [{"metadata": meta(f"checkout-7d8f9c-x{i}yz-scratch", "falcon")} for i in range(2)]
    return cluster_objects(
        {
            "nodes": [rack(0), rack(1)],
            "namespaces": [{"metadata": meta("falcon")}, {"metadata": meta("kube-system")}],
            "pods": [checkout_pod(0), checkout_pod(1), pod("kube-proxy-abc", namespace="kube-system")],
            "persistentvolumeclaims": claims,
            "deployments": [{"metadata": meta("checkout", "falcon"), "spec": {"replicas": 2}}],
            "replicasets": [
                {
                    "metadata": meta("checkout-7d8f9c", "falcon", **owned("Deployment", "checkout")),
                    "spec": {"replicas": 2},
                }
            ],
            "poddisruptionbudgets": [
                {
                    "metadata": meta("checkout", "falcon"),
                    "spec": {"selector": {"matchLabels": {"app": "checkout"}}, "minAvailable": "50%"},
                    "status": {"disruptedPods": {"checkout-7d8f9c-x1yz": "2025-10-01T08:00:00Z"}},
                }
            ],
            "scheduling.k8s.io/PodGroup": [
                {
                    "metadata": meta("checkout", "falcon"),
                    "spec": {"schedulingPolicy": {"gang": {"minCount": 2}}, "disruptionMode": "PodGroup"},
                    "status": {"conditions": [{"type": "PodGroupScheduled", "message": "checkout is on rack17"}]},
                }
            ],
        },
        taken_at=5.0,
        cluster="acme-production",
    )


@pytest.fixture(scope="module")
def anonymizer() -> Anonymizer:
    return Anonymizer(b"a key")


@pytest.fixture(scope="module")
def hidden(anonymizer: Anonymizer) -> ClusterSnapshot:
    return anonymizer.objects(objects()).snapshot()


def every_byte(found: ClusterObjects) -> Iterator[bytes]:
    for lines in found.lines.values():
        yield from lines
    yield found.cluster.encode()


def test_no_name_is_left(anonymizer: Anonymizer) -> None:
    text = b"\n".join(every_byte(anonymizer.objects(objects()))).decode()
    assert [secret for secret in SECRETS if secret in text] == []


def test_the_anonymized_cluster_is_marked_as_such(anonymizer: Anonymizer) -> None:
    found = anonymizer.objects(objects())
    assert found.anonymized
    assert found.cluster == "anonymized"


def test_references_between_objects_still_hold(hidden: ClusterSnapshot, anonymizer: Anonymizer) -> None:
    first = next(p for p in hidden.pods if p.node)
    assert {p.node for p in hidden.pods if p.namespace != "kube-system"} <= {n.name for n in hidden.nodes}
    checkout = [p for p in hidden.pods if p.owners]
    assert {hidden.root(p).kind for p in checkout} == {"Deployment"}
    assert {hidden.root(p).name for p in checkout} == {anonymizer.name("Deployment", "checkout")}
    (budget,) = hidden.budgets
    assert budget.selector is not None
    assert [p.name for p in hidden.pods if budget.selector.matches(p.labels)] == [p.name for p in checkout]
    assert budget.disrupting == (anonymizer.name("Pod", "checkout-7d8f9c-x1yz"),)
    assert all((p.namespace, p.spec.ephemeral[0].claim_of(p.name)) in hidden.claims for p in checkout)
    assert hidden.custom("scheduling.k8s.io", "PodGroup", checkout[0].namespace, checkout[0].pod_group) is not None
    assert first.namespace in hidden.namespaces


def test_structure_that_decides_placement_is_kept(hidden: ClusterSnapshot) -> None:
    plain = objects().snapshot()
    for before, after in zip(
        sorted(n.labels["topology.kubernetes.io/zone"] for n in plain.nodes), hidden.nodes, strict=True
    ):
        assert after.labels["topology.kubernetes.io/zone"] != before
        assert after.labels["kubernetes.io/hostname"] == after.name
        assert after.gpus is not None
        assert (after.gpus.count, after.gpus.model) == (8, "A100")
    found = next(p for p in hidden.pods if p.owners)
    spec, (taint,) = found.spec, hidden.nodes[0].taints
    assert (spec.tolerations[0].key, spec.tolerations[0].value) == (taint.key, taint.value)
    assert all(hidden.nodes[0].labels[key] == value for key, value in spec.node_selector.items())
    assert spec.spread[0].topology_key == "topology.kubernetes.io/zone"
    assert spec.spread[0].match_label_keys == ("pod-template-hash",)
    assert spec.priority_class == "system-cluster-critical"
    assert dict(spec.requests)["cpu"] == 500
    assert spec.gpu is not None
    assert spec.gpu.resource.endswith("/gpu")
    assert found.gpu_indices == (3,)
    assert hidden.objects["scheduling.k8s.io/PodGroup"][0].spec["disruptionMode"] == "PodGroup"
    assert "kube-system" in hidden.namespaces


def test_gangs_bundled_by_a_list_in_an_annotation_still_name_each_other(
    hidden: ClusterSnapshot, anonymizer: Anonymizer
) -> None:
    found = next(p for p in hidden.pods if p.owners)
    name = anonymizer.name
    expected = f'["{name("Namespace", "falcon")}/{name("Gang", "checkout")}","default/{name("Gang", "bluebird")}"]'
    assert found.annotations["gang.scheduling.koordinator.sh/groups"] == expected
    assert found.annotations["gang.scheduling.koordinator.sh/min-available"] == "2"


def test_another_key_gives_other_names_and_the_same_key_the_same() -> None:
    first, again, other = (Anonymizer(key).name("Pod", "checkout-0") for key in (b"a", b"a", b"b"))
    assert first == again
    assert first != other


def test_the_number_that_a_stateful_set_gives_its_pod_stays_and_no_other_number_in_a_name_does() -> None:
    made = Anonymizer(b"key")
    made.objects(cluster_objects({"statefulsets": [{"metadata": meta("web", "shop")}]}, taken_at=0.0))
    web, data, scratch = (made.text(name) for name in ("web", "data", "scratch"))
    assert made.text("web-12") == f"{web}-12"
    assert made.text("data-web-12") == f"{data}-{web}-12"  # its claim
    assert made.text("web-12-scratch") == f"{web}-12-{scratch}"  # its ephemeral volume's
    for name in ("ip-10-0-3-17", "4929-1234-5678-9012", "84213", "10.20.30.40", "cobweb-12", "web-0000012"):
        assert re.findall(r"[0-9]+", name)[-1] not in re.split(r"[^0-9a-z]", made.text(name))


NAMES = st.from_regex(re.compile(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8}){0,3}"), fullmatch=True)


@given(NAMES, NAMES)
def test_a_name_made_of_names_becomes_the_name_made_of_pseudonyms(first: str, second: str) -> None:
    made = Anonymizer(b"key")
    if VALUES.isdisjoint((first, second, f"{first}-{second}")):  # the few that stay
        assert made.text(f"{first}-{second}") == f"{made.text(first)}-{made.text(second)}"
    assert made.text(f"{first}/{second}") == f"{made.text(first)}/{made.text(second)}"


def test_marks_by_which_pods_stay_are_still_there() -> None:
    """Of nodes that go, of opt-outs with an end, of owners and Jobs."""
    going = [
        node(
            "rack17-1", spec={"taints": [{"key": "DeletionCandidateOfClusterAutoscaler", "effect": "PreferNoSchedule"}]}
        ),
        node("rack17-2", spec={"taints": [{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}]}),
        node("rack17-3", spec={"taints": [{"key": "eks.tencentcloud.com/eklet", "effect": "NoSchedule"}]}),
        node("rack17-4", metadata={"labels": {"liqo.io/type": "virtual-node"}}),
    ]
    step = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "falcon", "uid": "u", "controller": True}
    found = pod(
        "bluebird", metadata={"ownerReferences": [step], "annotations": {"karpenter.sh/do-not-disrupt": "2h30m"}}
    )
    rule = {"action": "FailJob", "onExitCodes": {"containerName": "main", "operator": "In", "values": [143]}}
    spec = {"managedBy": "kubernetes.io/job-controller", "podFailurePolicy": {"rules": [rule]}}
    jobs = [{"metadata": meta("checkout", "falcon"), "spec": spec, "status": {}}]
    objects = cluster_objects({"nodes": going, "pods": [found], "jobs": jobs}, taken_at=0.0)
    for seen in (objects.snapshot(), Anonymizer(b"key").objects(objects).snapshot()):
        marks = sorted((n.leaving, n.drained, n.virtual) for n in seen.nodes)
        assert marks == [
            ("", False, True),
            ("", False, True),
            ("taint DeletionCandidateOfClusterAutoscaler", False, False),
            ("taint karpenter.sh/disrupted", True, False),
        ]
        (one,) = seen.pods
        assert one.annotations["karpenter.sh/do-not-disrupt"] == "2h30m"
        assert (one.owners[0].group, one.owners[0].kind) == ("argoproj.io", "Workflow")
        (job,) = seen.workloads.values()
        assert (job.on_eviction, job.managed_by) == ("FailJob", "")


def test_how_a_pod_fares_stays_and_words_of_others_go() -> None:
    since = "2025-10-01T08:01:00Z"
    status = {
        "reason": "Evicted",
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": since},
            {"type": "acme.com/checked", "status": "False", "reason": "falcon", "lastTransitionTime": since},
        ],
        "containerStatuses": [
            {"name": "bluebird", "restartCount": 7, "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
        ],
        "initContainerStatuses": [{"name": "falcon", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
    }
    objects = cluster_objects({"pods": [pod("checkout", phase="Failed", status=status)]}, taken_at=0.0)
    (before,), (after,) = objects.snapshot().pods, Anonymizer(b"key").objects(objects).snapshot().pods
    assert after.status.reason == "Evicted"
    assert after.status.conditions[0] == before.status.conditions[0]
    assert {after.status.conditions[1].type, after.status.conditions[1].reason}.isdisjoint(
        ("acme.com/checked", "falcon")
    )
    assert after.status.containers == before.status.containers
    assert after.status.init_containers == before.status.init_containers
    assert after.transitions == before.transitions


@pytest.mark.parametrize("resource", [GPU, "acme.com/falcon", "deviceclass.resource.kubernetes.io/falcon"])
def test_classes_stay_those_of_their_resources_and_rules_those_of_their_devices(resource: str) -> None:
    """One of two GPUs is tainted; two are waited for by a resource that the class stands for."""
    chosen = device_class("falcon")
    named = {} if resource.startswith("deviceclass.") else {"extendedResourceName": resource}
    kinds = {
        "nodes": [node("rack17-1")],
        "pods": [pod("bluebird", container(requests={resource: "2"}), node="", phase="Pending")],
        SLICES: [resource_slice(gpu_device(0), gpu_device(1), node="rack17-1")],
        CLASSES: [{**chosen, "spec": {**chosen["spec"], **named}}],
        TAINT_RULES: [taint_rule(driver=DRIVER, pool="rack17-1", device="gpu-1")],
    }
    objects = cluster_objects(kinds, taken_at=0.0)
    hidden = Anonymizer(b"key").objects(objects)
    assert b"falcon" not in b"".join(line for lines in hidden.lines.values() for line in lines)
    for seen in (objects.snapshot(), hidden.snapshot()):
        (one,), (waiting,) = seen.nodes, seen.pods
        assert one.gpus is not None
        assert [device.healthy for device in one.gpus.devices] == [True, False]
        assert dict(waiting.spec.requests)[DRIVER] == 2
        assert prepare(seen).what_if().explain(0) == {Predicate.DEVICE_CLAIMS: 1}
