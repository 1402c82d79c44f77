"""What a pod asks for and where it may go, read as the scheduler reads it."""

from __future__ import annotations

import pytest

from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.pod_status import NO_STATUS, Condition, ContainerState, PodStatus
from descheduler.model.pods import GpuRequest, HostPort, Pod, SpreadConstraint, Toleration
from descheduler.model.selectors import LabelSelector, NodeSelectorTerm, Operator, Requirement
from descheduler.model.storage import ClaimTemplate
from kube.wire_objects import Json, container, pod


def read(found: Json) -> Pod:
    (only,) = snapshot_from_objects({"pods": [found]}, 0.0).pods
    return only


def requests(found: Json) -> dict[str, int]:
    return dict(read(found).spec.requests)


def test_containers_are_summed_and_rounded_up_once() -> None:
    small = container(requests={"cpu": "100.5m", "memory": "1Ki"})
    assert requests(pod("a", small, small)) == {"cpu": 201, "memory": 2048, "pods": 1}


def test_an_init_container_sets_a_minimum() -> None:
    main = container(requests={"cpu": "1", "memory": "1Gi"})
    init = container("init", requests={"cpu": "3", "memory": "100Mi"})
    assert requests(pod("a", main, initContainers=[init])) == {"cpu": 3000, "memory": 2**30, "pods": 1}


def test_sidecars_add_up_and_count_beside_later_init_containers() -> None:
    main = container(requests={"cpu": "1"})
    early = container("early", requests={"cpu": "2"})
    sidecar = container("proxy", restart="Always", requests={"cpu": "500m"})
    late = container("late", requests={"cpu": "2"})
    assert requests(pod("a", main, initContainers=[early, sidecar]))["cpu"] == 2000
    assert requests(pod("b", main, initContainers=[early, sidecar, late]))["cpu"] == 2500
    assert requests(pod("c", main, initContainers=[sidecar]))["cpu"] == 1500


def test_pod_level_resources_replace_the_sum_and_overhead_comes_on_top() -> None:
    main = container(requests={"cpu": "1", "memory": "1Gi", "example.com/x": "2"})
    found = pod("a", main, resources={"requests": {"cpu": "4"}}, overhead={"cpu": "250m", "memory": "1Mi"})
    assert requests(found) == {"cpu": 4250, "memory": 2**30 + 2**20, "example.com/x": 2, "pods": 1}


MEBI = 2**20


@pytest.mark.parametrize(
    ("found", "counted"),
    [
        (pod("a", container(), container("b")), (200, 400 * MEBI)),
        (pod("a", container(requests={"cpu": "20m"}), container("b")), (120, 400 * MEBI)),
        (pod("a", container(requests={"cpu": "0", "memory": "1Mi"})), (0, MEBI)),  # zero is asked for, not left out
        (pod("a", container(), initContainers=[container("init", requests={"cpu": "1"})]), (1000, 200 * MEBI)),
        (pod("a", container(), initContainers=[container("proxy", restart="Always")]), (200, 400 * MEBI)),
        (pod("a", container(), overhead={"cpu": "10m"}), (110, 200 * MEBI)),
        (pod("a", container(), container("b"), resources={"requests": {"cpu": "1"}}), (1000, 400 * MEBI)),
        (
            pod("a", container(requests={"cpu": "1"}), container("b"), resources={"requests": {"memory": "1Mi"}}),
            (1000, MEBI),
        ),
    ],
    ids=["nothing asked", "some asked", "zero", "init", "sidecar", "overhead", "pod level", "pod level of another"],
)
def test_scores_count_a_minimum_for_each_container_that_asks_for_nothing(found: Json, counted: tuple[int, int]) -> None:
    assert read(found).spec.counted == counted


def test_while_a_pod_is_resized_the_larger_amount_counts() -> None:
    main = container(requests={"cpu": "1"})
    in_force = {"name": "main", "resources": {"requests": {"cpu": "3"}}, "allocatedResources": {"cpu": "2"}}
    growing = pod("a", main, status={"containerStatuses": [in_force]})
    assert requests(growing)["cpu"] == 3000
    infeasible = [{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}]
    large = container(requests={"cpu": "9"})
    assert requests(pod("b", large, status={"containerStatuses": [in_force], "conditions": infeasible}))["cpu"] == 3000


def test_limits_take_overhead_only_where_there_is_a_limit() -> None:
    main = container(requests={"cpu": "1"}, limits={"memory": "1Gi"})
    limits = dict(read(pod("a", main, overhead={"cpu": "1", "memory": "1Gi"})).spec.limits)
    assert limits == {"memory": 2**31}


def test_a_pod_is_bounded_by_limits_that_all_its_containers_have_or_it_has_itself() -> None:
    both = {"cpu": "1", "memory": "1Gi"}
    one, other = container(limits=both), container("b", limits={"memory": "1Gi"})
    assert dict(read(pod("a", one, other)).spec.bounds) == {"memory": 2**31}
    assert dict(read(pod("a", one)).spec.bounds) == {"cpu": 1000, "memory": 2**30}
    of_itself = read(pod("a", container("b"), resources={"limits": {"cpu": "2"}})).spec
    assert dict(of_itself.bounds) == {"cpu": 2000}
    assert read(pod("a", one, initContainers=[container("setup")])).spec.bounds == ()


@pytest.mark.parametrize(
    ("containers", "qos"),
    [
        ([container()], "BestEffort"),
        ([container(requests={"cpu": "1"})], "Burstable"),
        ([container(requests={"cpu": "1", "memory": "1Gi"}, limits={"cpu": "1", "memory": "1Gi"})], "Guaranteed"),
        ([container(requests={"cpu": "1", "memory": "1Gi"}, limits={"cpu": "2", "memory": "1Gi"})], "Burstable"),
        (
            [container(requests={"cpu": "1", "memory": "1Gi"}, limits={"cpu": "1", "memory": "1Gi"}), container("b")],
            "Burstable",
        ),
        ([container(requests={"example.com/x": "1"})], "BestEffort"),
    ],
)
def test_quality_of_service(containers: list[Json], qos: str) -> None:
    assert read(pod("a", *containers)).spec.qos == qos


def test_equal_specs_and_labels_are_one_object() -> None:
    same = {"labels": {"app": "web"}}
    volumes = [[{"name": f"kube-api-access-{i}", "projected": {}}] for i in range(2)]
    first, second = (
        pod(f"web-{i}", container(requests={"cpu": "1"}), node=f"n{i}", volumes=volumes[i], metadata=same)
        for i in range(2)
    )
    other = pod("web-2", container(requests={"cpu": "2"}), metadata=same)
    a, b, c = snapshot_from_objects({"pods": [first, second, other]}, 0.0).pods
    assert a.spec is b.spec
    assert a.labels is b.labels
    assert c.spec is not a.spec


def test_specs_that_differ_only_in_how_they_are_written_are_one_object_too() -> None:
    first = pod("a", container(requests={"cpu": "1000m"}))
    second = pod("b", container(requests={"cpu": "1"}))
    a, b = snapshot_from_objects({"pods": [first, second]}, 0.0).pods
    assert a.spec is b.spec


def test_node_affinity_with_expressions_and_fields() -> None:
    term = {
        "matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}],
        "matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}],
    }
    required = {"nodeSelectorTerms": [term, {}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    found = read(pod("a", affinity=affinity)).spec.node_affinity
    assert found.required == (
        NodeSelectorTerm(
            (Requirement("zone", Operator.IN, ("a", "b")),), (Requirement("metadata.name", Operator.NOT_IN, ("n1",)),)
        ),
        NodeSelectorTerm(),
    )
    assert read(pod("b")).spec.node_affinity.required is None


def test_pod_affinity_and_what_an_absent_selector_means() -> None:
    terms = [
        {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "db"}}, "namespaces": ["x"]},
        {"topologyKey": "zone", "labelSelector": {}, "namespaceSelector": {}},
        {"topologyKey": "zone"},
    ]
    found = read(pod("a", affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}))
    first, everything, nothing = found.spec.anti_affinity.required
    assert first.selector == LabelSelector.of({"app": "db"})
    assert first.namespaces == ("x",)
    assert everything.selector == LabelSelector()
    assert everything.namespace_selector == LabelSelector()
    assert nothing.selector is None


def test_defaults_of_spread_constraints_and_tolerations() -> None:
    constraint = {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    found = read(pod("a", topologySpreadConstraints=[constraint], tolerations=[{"key": "k", "value": "v"}])).spec
    assert found.spread == (SpreadConstraint(2, "zone", "DoNotSchedule", None, None, "Honor", "Ignore"),)
    assert found.tolerations == (Toleration("k", "Equal", "v", ""),)


def test_host_ports_of_containers_and_sidecars() -> None:
    main = container() | {"ports": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81}]}
    sidecar = container("proxy", restart="Always") | {
        "ports": [{"hostPort": 90, "protocol": "UDP", "hostIP": "10.0.0.1"}]
    }
    init = container("init") | {"ports": [{"hostPort": 99}]}
    assert read(pod("a", main, initContainers=[sidecar, init])).spec.host_ports == (
        HostPort(90, "UDP", "10.0.0.1"),
        HostPort(80),
    )


def test_claims_of_a_pod_and_local_storage() -> None:
    volumes = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}},
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
        {"name": "config", "configMap": {"name": "c"}},
    ]
    found = read(pod("db-0", volumes=volumes))
    assert found.claims == ("data-db-0",)
    assert found.spec.ephemeral == (ClaimTemplate("scratch"),)
    assert not found.spec.local_storage
    assert read(pod("a", volumes=[{"name": "tmp", "emptyDir": {}}])).spec.local_storage
    assert read(pod("b", volumes=[{"name": "tmp", "hostPath": {"path": "/tmp"}}])).spec.local_storage


SHARED = {"alibabacloud.com/gpu-milli": "460", "alibabacloud.com/gpu-count": "1"}


@pytest.mark.parametrize(
    ("found", "gpu"),
    [
        (pod("a", container(requests={"nvidia.com/gpu": "4"})), GpuRequest("nvidia.com/gpu", 4)),
        (pod("a", container(requests={"amd.com/gpu": "1"})), GpuRequest("amd.com/gpu", 1)),
        (pod("a", container(requests={"koordinator.sh/gpu": "50"})), GpuRequest("nvidia.com/gpu", 1, 500)),
        (
            pod("a", container(requests={"koordinator.sh/gpu-core": "200", "koordinator.sh/gpu-memory-ratio": "200"})),
            GpuRequest("nvidia.com/gpu", 2),
        ),
        (pod("a", metadata={"annotations": SHARED}), GpuRequest("alibabacloud.com/gpu-count", 1, 460)),
        (
            pod("a", metadata={"annotations": SHARED | {"alibabacloud.com/gpu-card-model": "A10|T4"}}),
            GpuRequest("alibabacloud.com/gpu-count", 1, 460, ("A10", "T4")),
        ),
        (pod("a"), None),
    ],
)
def test_gpu_requests_of_every_dialect(found: Json, gpu: GpuRequest | None) -> None:
    assert read(found).spec.gpu == gpu


def test_gpus_of_two_sharing_pods_do_not_mix() -> None:
    half = pod("a", metadata={"annotations": SHARED})
    third = pod("b", metadata={"annotations": SHARED | {"alibabacloud.com/gpu-milli": "333"}})
    a, b = snapshot_from_objects({"pods": [half, third]}, 0.0).pods
    assert (a.spec.gpu, b.spec.gpu) == (
        GpuRequest("alibabacloud.com/gpu-count", 1, 460),
        GpuRequest("alibabacloud.com/gpu-count", 1, 333),
    )


ALLOCATED = '{"gpu":[{"minor":1,"resources":{}},{"minor":0}],"rdma":[{"minor":7}]}'


@pytest.mark.parametrize(
    ("annotations", "indices"),
    [
        ({"alibabacloud.com/gpu-index": "3-1"}, (1, 3)),
        (
            {"scheduling.koordinator.sh/device-allocated": ALLOCATED},
            (0, 1),
        ),
        ({"scheduling.koordinator.sh/device-allocated": "nonsense"}, ()),
        ({}, ()),
    ],
)
def test_devices_that_a_pod_holds(annotations: dict[str, str], indices: tuple[int, ...]) -> None:
    asking = container(requests={"nvidia.com/gpu": "2"})
    assert read(pod("a", asking, metadata={"annotations": annotations})).gpu_indices == indices


def test_annotations_of_pods_that_ask_for_no_device_are_nobodys_word() -> None:
    assert read(pod("a", metadata={"annotations": {"alibabacloud.com/gpu-index": "3-1"}})).gpu_indices == ()


def test_only_annotations_that_are_read_are_kept() -> None:
    annotations = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "team.example.com/keep": "yes",
    }
    found = pod("a", metadata={"annotations": annotations})
    assert dict(read(found).annotations) == {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    from descheduler.kube.recording.wire_objects import cluster_objects

    kept = cluster_objects({"pods": [found]}, taken_at=0.0)
    assert b"last-applied" not in kept.lines["pods"][0]


def test_gates_groups_and_times() -> None:
    found = read(
        pod(
            "a",
            schedulingGates=[{"name": "kueue.x-k8s.io/admission"}],
            schedulingGroup={"podGroupName": "gang"},
            metadata={"deletionTimestamp": "2025-10-01T08:00:30Z"},
            terminationGracePeriodSeconds=0,
        )
    )
    assert found.gated
    assert found.pod_group == "gang"
    assert found.deleting == found.created + 30
    assert found.spec.grace_seconds == 0


def test_what_a_status_tells_beside_the_phase() -> None:
    waits = {"name": "main", "restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "5m"}}}
    ended = {"name": "init", "restartCount": 0, "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
    well = {"name": "debugger", "state": {"running": {"startedAt": "2025-10-01T08:00:00Z"}}}
    told = {
        "reason": "Evicted",
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "X", "lastTransitionTime": "2025-10-01T08:01:00Z"},
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": None},
        ],
        "containerStatuses": [waits],
        "initContainerStatuses": [ended],
        "ephemeralContainerStatuses": [well],
    }
    found = read(pod("a", status=told))
    assert found.status == PodStatus(
        reason="Evicted",
        conditions=(Condition("Ready", "False", "X"), Condition("PodScheduled", "True")),
        containers=(ContainerState(restarts=7, waiting="CrashLoopBackOff"),),
        init_containers=(ContainerState(ended="OOMKilled", exit_code=137),),
        ephemeral_containers=(ContainerState(),),
    )
    assert found.transitions == (found.created + 60, 0.0)


def test_pods_that_fare_alike_share_a_status_and_have_their_own_times() -> None:
    def ready(name: str, since: str) -> Json:
        return pod(name, status={"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since}]})

    pods = [ready("a", "2025-10-01T08:00:01Z"), ready("b", "2025-10-01T08:00:02Z")]
    first, second = snapshot_from_objects({"pods": pods}, 0.0).pods
    assert first.status is second.status
    assert first.spec is second.spec
    assert second.transitions[0] - first.transitions[0] == 1.0
    assert read(pod("c", status={"conditions": None})).status == NO_STATUS


def test_a_transition_that_is_no_time_makes_the_pod_unreadable() -> None:
    found = read(pod("a", status={"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "soon"}]}))
    assert found.problem
