"""From a policy and a cluster's own objects to the topology that a plan sees."""

from __future__ import annotations

import numpy as np
import pytest

from builders import NOW, cluster, node
from descheduler.kube.recording.anonymize import Anonymizer
from descheduler.kube.recording.wire_objects import cluster_objects, snapshot_from_objects
from descheduler.model.errors import PolicyError
from descheduler.planning.settings import settings_of
from descheduler.policy import load_policy
from descheduler.topology import Levels, TopologyRules, read_topology, set_of
from planning.cases import planned

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"


def test_a_policy_names_labels_and_links() -> None:
    text = HEAD + (
        "topology:\n"
        "  labels: [x/block, x/rack]\n"
        "  links:\n"
        "    - {model: '*X100*', matrix: [[0, 50, 0], [50, 0, 25], [0, 25, 0]], pcie: 8}\n"
    )
    policy = load_policy(text)
    labels = {"x/block": "b", "x/rack": "r"}
    snapshot = cluster([node("a", gpu=3, model="ACME-X100", labels=labels), node("b", gpu=3, model="ACME-X100")])
    found = read_topology(snapshot, settings_of(policy, snapshot).topology)
    assert found.levels.names == ("block", "rack", "node")
    board = found.links.board(0)
    assert board is not None
    assert board.rings.bandwidth[set_of((0, 1))] == 50
    assert board.rings.bandwidth[set_of((0, 2))] == 8


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{model: a, matrix: [[0, 1], [2, 0]]}", "symmetric"),
        ("{model: a, matrix: [[0, 1]]}", "as many columns as rows"),
        ("{model: a, matrix: [[0]], flat: 3}", "not both"),
        ("{model: a, pcie: 0}", "pcie"),
        ("{flat: 3}", "model"),
    ],
)
def test_tables_that_make_no_sense_are_refused(written: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        load_policy(HEAD + f"topology: {{links: [{written}]}}\n")


def test_an_unknown_source_is_refused_with_what_there_is() -> None:
    with pytest.raises(PolicyError, match="kueue"):
        load_policy(HEAD + "topology: {network: azure}\n")


def test_objects_of_a_cluster_become_levels() -> None:
    labels = {"cloud/rack": "r1"}
    nodes = [{"metadata": {"name": n, "labels": labels}} for n in ("a", "b")]
    levels = {"levels": [{"nodeLabel": "cloud/rack"}, {"nodeLabel": "kubernetes.io/hostname"}]}
    snapshot = snapshot_from_objects(
        {"nodes": nodes, "kueue.x-k8s.io/Topology": [{"metadata": {"name": "default"}, "spec": levels}]}, NOW
    )
    found = read_topology(snapshot)
    assert (found.source, found.levels.names) == ("kueue", ("rack", "node"))
    assert found.levels.domain[0].tolist() == [0, 0]


def test_what_contradicts_itself_is_a_line_of_the_plan() -> None:
    gcp = "cloud.google.com/gce-topology-"
    nodes = [node(n, gpu=1, labels={f"{gcp}block": n, f"{gcp}subblock": "s"}) for n in ("a", "b")]
    assert planned(cluster(nodes)).problems == (
        "topology: gce-topology-subblock s in several domains above; each counts as another",
    )


def test_a_recording_without_names_has_the_same_topology() -> None:
    keys = ("fabric.topograph.run/tier-1", "oci.oraclecloud.com/host.rack_id", "acme.example/rack")
    nodes: list[dict[str, object]] = [
        {"metadata": {"name": f"n{i}", "labels": dict.fromkeys(keys, f"r{i // 2}")}, "status": {}} for i in range(4)
    ]
    layers = [{"topologyLayer": "RackLayer", "labelKey": ["acme.example/rack"]}]
    hyper = [
        {"type": "Node", "selector": {"exactMatch": {"name": "n0"}}},
        {"type": "Node", "selector": {"exactMatch": {"name": "n1"}}},
    ]
    objects: dict[str, list[dict[str, object]]] = {
        "nodes": nodes,
        "scheduling.koordinator.sh/ClusterNetworkTopology": [
            {"metadata": {"name": "default"}, "spec": {"networkTopologySpec": layers}}
        ],
        "topology.volcano.sh/HyperNode": [{"metadata": {"name": "s0"}, "spec": {"tier": 1, "members": hyper}}],
    }
    plain = cluster_objects(objects, taken_at=NOW)
    nameless = Anonymizer(b"key").objects(plain)
    for source in ("koordinator", "volcano", "topograph", "oci"):
        rules = TopologyRules(source)
        before, after = (read_topology(o.snapshot(), rules).levels for o in (plain, nameless))
        assert len(after) == len(before) == 2
        assert sorted(map(list, groups(before))) == sorted(map(list, groups(after)))


def test_hypernodes_that_choose_by_a_pattern_choose_the_same_without_names() -> None:
    def chosen(tier: int, kind: str, pattern: str) -> dict[str, object]:
        return {"tier": tier, "members": [{"type": kind, "selector": {"regexMatch": {"pattern": pattern}}}]}

    objects = {
        "nodes": [{"metadata": {"name": f"rack-{i}-n{i % 2}"}} for i in range(6)],
        "topology.volcano.sh/HyperNode": [
            {"metadata": {"name": "leaf-a"}, "spec": chosen(1, "Node", r"^rack-[0-2]-n\d$")},
            {"metadata": {"name": "leaf-b"}, "spec": chosen(1, "Node", "rack-[345]")},
            {"metadata": {"name": "top"}, "spec": chosen(2, "HyperNode", "^leaf-.$")},
            {"metadata": {"name": "odd"}, "spec": chosen(1, "Node", "rack-(")},
        ],
    }
    plain = cluster_objects(objects, taken_at=NOW)
    nameless = Anonymizer(b"key").objects(plain)
    assert b"rack" not in b"".join(line for lines in nameless.lines.values() for line in lines)
    before, after = (read_topology(o.snapshot(), TopologyRules("volcano")) for o in (plain, nameless))
    assert groups(before.levels) == groups(after.levels)
    assert [3, 3] in groups(before.levels)
    assert len(before.problems) == len(after.problems) == 1


def groups(levels: Levels) -> list[list[int]]:
    """Sizes of the domains of each level."""
    return [sorted(np.bincount(row).tolist()) for row in levels.domain]
