"""Templates of workloads, as they are read and as they are recorded."""

from __future__ import annotations

import json

from descheduler.kube.recording.anonymize import Anonymizer
from descheduler.kube.recording.wire_objects import cluster_objects, snapshot_from_objects
from descheduler.model.workloads import Ordinals
from kube.wire_objects import container
from kube.workload_objects import cpu, of_stateful_set, replica_set, stateful_set, template, workload

STRATEGY = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}


def test_a_template_is_read_as_a_pod_is() -> None:
    found = replica_set(cpu("500m"), nodeSelector={"disk": "ssd"}, nodeName="n1", schedulingGates=[{"name": "x/y"}])
    (made,) = snapshot_from_objects({"replicasets": [found]}, 0.0).workloads.values()
    assert made.template is not None
    assert dict(made.template.spec.requests) == {"cpu": 500, "pods": 1}
    assert made.template.spec.node_selector == {"disk": "ssd"}
    assert (made.template.node, made.template.gated) == ("n1", True)
    assert made.template.labels["app"] == "web"


def test_how_a_stateful_set_makes_its_pods_with_the_defaults_of_the_api() -> None:
    said = stateful_set(cpu("1"), podManagementPolicy="Parallel", updateStrategy=STRATEGY, ordinals={"start": 3})
    assert ordinals(said) == Ordinals(3, False, False, 2, "db-old", "db-new")
    assert ordinals(workload("StatefulSet", "db", template(cpu("1")))) == Ordinals()
    assert ordinals(stateful_set(cpu("1"), updateStrategy={"type": "OnDelete"})).on_delete


def ordinals(found: dict[str, object]) -> Ordinals:
    (made,) = snapshot_from_objects({"statefulsets": [found]}, 0.0).workloads.values()
    assert made.ordinals is not None
    return made.ordinals


def test_what_templates_run_with_is_not_recorded_nor_templates_that_no_pod_is_made_from() -> None:
    secret = {**cpu("1"), "env": [{"name": "TOKEN", "value": "hunter2"}], "args": ["--key=hunter2"]}
    made_from = template(secret)
    made_from["metadata"]["annotations"] = {"vault.example.com/agent": "hunter2"}
    lines = cluster_objects(
        {
            "replicasets": [workload("ReplicaSet", "web", made_from)],
            "deployments": [workload("Deployment", "web", made_from)],
        },
        taken_at=0.0,
    ).lines
    assert not any(b"hunter2" in line for found in lines.values() for line in found)
    assert json.loads(lines["replicasets"][0])["spec"]["template"]["spec"]["containers"][0]["name"] == "main"
    assert "template" not in json.loads(lines["deployments"][0])["spec"]


def test_without_names_the_same_will_be_made() -> None:
    made_from = container("main", requests={"cpu": "3"})
    found = stateful_set(made_from, updateStrategy=STRATEGY | {"rollingUpdate": {"partition": 1}})
    pods = [of_stateful_set(i, cpu("1"), revision="db-old") for i in (0, 1)]
    named = cluster_objects({"pods": pods, "statefulsets": [found]}, taken_at=0.0)
    for objects in (named, Anonymizer(b"key").objects(named)):
        (made,) = objects.snapshot().remade.different.values()
        assert dict(made.spec.requests)["cpu"] == 3000


def test_without_names_it_is_still_known_whose_requests_an_autoscaler_sets() -> None:
    scaled = of_stateful_set(0, cpu("3"), metadata={"annotations": {"vpaUpdates": "Pod resources updated by web"}})
    named = cluster_objects({"pods": [scaled], "statefulsets": [stateful_set(cpu("1"))]}, taken_at=0.0)
    assert not Anonymizer(b"key").objects(named).snapshot().remade.different
