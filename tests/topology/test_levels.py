"""Network levels: labels, objects that name labels or nodes, gaps and contradictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from builders import cluster, node
from descheduler.model.nodes import Node
from descheduler.model.objects import CustomObject, Json
from descheduler.topology.network_sources import Network, network_of
from gang_builders import custom


def labelled(name: str, labels: Mapping[str, str], gpu: int = 8, **more: object) -> Node:
    return node(name, gpu=gpu, labels=labels, **more)  # type: ignore[arg-type]


def network(
    nodes: Iterable[Node], objects: Iterable[CustomObject] = (), wanted: str = "auto", labels: tuple[str, ...] = ()
) -> Network:
    return network_of(cluster(nodes, objects=objects), wanted, labels)


def domains(found: Network, level: int | str) -> list[int]:
    at = found.levels.level(level) if isinstance(level, str) else level
    return [int(d) for d in found.levels.domain[at]]


AWS = "topology.k8s.aws/network-node-layer-"
PRESET_LABELS: list[tuple[str, tuple[str, ...]]] = [
    ("aws", tuple(f"{AWS}{i}" for i in (1, 2, 3))),
    ("gcp", tuple(f"cloud.google.com/gce-topology-{n}" for n in ("block", "subblock", "host"))),
    ("oci", ("oci.oraclecloud.com/host.network_block_id", "oci.oraclecloud.com/host.rack_id")),
    ("topograph", ("fabric.topograph.run/tier-1", "fabric.topograph.run/tier-0", "accelerator.topograph.run/domain")),
    ("topograph", tuple(f"network.topology.nvidia.com/tier-{i}" for i in (2, 1, 0))),
    ("topograph", tuple(f"network.topology.nvidia.com/{n}" for n in ("core", "spine", "leaf", "accelerator"))),
    ("topograph", tuple(f"network.topology.nvidia.com/{n}" for n in ("datacenter", "spine", "block", "accelerator"))),
    ("topograph", tuple(f"topology.kubernetes.io/network-level-{i}" for i in (3, 2, 1))),
    ("clique", ("nvidia.com/gpu.clique",)),
    ("generic", ("topology.kubernetes.io/zone",)),
]


@pytest.mark.parametrize(("source", "keys"), PRESET_LABELS)
def test_presets_are_found_top_to_bottom(source: str, keys: tuple[str, ...]) -> None:
    # n1 and n2 share all but the lowest level, n3 shares only the top.
    paths = [("t", "m", "l", "x"), ("t", "m", "l", "x"), ("t", "n", "o", "p")]
    lowest = [0, 1, 2]
    nodes = [
        labelled(f"n{i}", {k: f"{p[j]}{lowest[i] if j == len(keys) - 1 else ''}" for j, k in enumerate(keys)})
        for i, p in enumerate(paths)
    ]
    found = network(nodes)
    assert found.source == source
    assert found.levels.names == (*(key.rpartition("/")[2] for key in keys), "node")
    assert len(set(domains(found, len(keys) - 1))) == 3
    if len(keys) > 1:
        assert len(set(domains(found, 0))) == 1
    assert not found.problems


def test_the_first_source_that_the_cluster_has_counts() -> None:
    nodes = [labelled("a", {f"{AWS}1": "s", "topology.kubernetes.io/zone": "z"})]
    assert network(nodes).source == "aws"
    assert network(nodes, wanted="generic").source == "generic"
    assert network([labelled("a", {})]).source == "none"


def test_a_source_that_is_not_there_is_a_problem() -> None:
    found = network([labelled("a", {})], wanted="oci")
    assert found.levels.names == ("node",)
    assert found.problems == ("topology: nothing in the cluster tells a network topology of kind oci",)


def test_own_labels_come_before_everything() -> None:
    nodes = [labelled("a", {"x/block": "b", "x/rack": "r", f"{AWS}1": "s"}), labelled("b", {"x/block": "b"})]
    found = network(nodes, labels=("x/block", "x/rack", "kubernetes.io/hostname"))
    assert (found.source, found.levels.names) == ("policy", ("block", "rack", "node"))
    assert domains(found, "block") == [0, 0]
    assert domains(found, "rack") == [0, 1]


def test_levels_of_one_last_name_keep_their_prefix() -> None:
    nodes = [labelled("a", {"x/rack": "1", "y/rack": "2"})]
    assert network(nodes, labels=("x/rack", "y/rack")).levels.names == ("x/rack", "y/rack", "node")


def test_leaves_of_instance_types_with_three_layers_are_no_gap() -> None:
    nodes = [
        labelled("three", {f"{AWS}{i}": f"t{i}" for i in (1, 2, 3)}),
        labelled("four", {f"{AWS}{i}": f"f{i}" for i in (1, 2, 3, 4)}),
    ]
    found = network(nodes)
    assert len(found.levels) == 5
    assert not found.problems
    assert found.levels.known[3].tolist() == [True, False], "four sorts first"


def test_a_missing_label_is_a_domain_of_its_own() -> None:
    nodes = [labelled(f"n{i}", {"x/rack": "r"} if i < 2 else {}) for i in range(4)]
    found = network(nodes, labels=("x/rack",))
    assert domains(found, "rack") == [0, 0, 1, 2]
    assert found.levels.known[0].tolist() == [True, True, False, False]
    assert found.problems == ("topology: n2, n3 on no level (rack)",)


def test_what_hangs_below_an_unknown_domain_is_not_shared_either() -> None:
    nodes = [
        labelled("a", {"x/block": "b", "x/rack": "r"}),
        labelled("b", {"x/rack": "r"}),
        labelled("c", {"x/rack": "r"}),
    ]
    found = network(nodes, labels=("x/block", "x/rack"))
    assert domains(found, "rack") == [0, 1, 2]
    assert found.levels.known[1].tolist() == [True, False, False]
    assert found.problems == ("topology: b, c without block",)


def test_a_rack_in_two_blocks_is_two_racks_and_a_problem() -> None:
    nodes = [labelled("a", {"x/block": "b1", "x/rack": "r"}), labelled("b", {"x/block": "b2", "x/rack": "r"})]
    found = network(nodes, labels=("x/block", "x/rack"))
    assert domains(found, "rack") == [0, 1]
    assert found.problems == ("topology: rack r in several domains above; each counts as another",)


def test_nodes_without_gpus_need_no_labels_where_others_have_gpus() -> None:
    found = network([labelled("g", {f"{AWS}1": "s"}), labelled("web", {}, gpu=0)])
    assert not found.problems


def test_cliques_add_a_level_where_they_lie_within_the_lowest() -> None:
    nodes = [
        labelled(f"n{i}", {f"{AWS}1": "s", f"{AWS}2": f"l{i // 2}", "nvidia.com/gpu.clique": f"c{i // 2}"})
        for i in range(4)
    ]
    assert network(nodes).levels.names == ("network-node-layer-1", "network-node-layer-2", "gpu.clique", "node")


def test_cliques_across_leaves_are_left_out_and_reported() -> None:
    nodes = [labelled(f"n{i}", {f"{AWS}1": f"s{i}", "nvidia.com/gpu.clique": "c"}) for i in range(2)]
    found = network(nodes)
    assert found.levels.names == ("network-node-layer-1", "node")
    assert "do not lie within" in found.problems[0]


# -- objects that name labels ---------------------------------------------------------------------------------------


def levelled(api_version: str, name: str, *keys: str) -> CustomObject:
    levels: list[Json] = [{"nodeLabel": key} for key in keys]
    return custom(api_version, "Topology", name, {"levels": levels}, namespace="")


RACKS = [labelled(f"n{i}", {"cloud.example/block": "b", "cloud.example/rack": f"r{i // 2}"}) for i in range(4)]


@pytest.mark.parametrize(
    ("source", "api_version"),
    [
        ("kueue", "kueue.x-k8s.io/v1beta2"),
        ("kueue", "kueue.x-k8s.io/v1beta1"),
        ("kai", "kai.scheduler/v1alpha1"),
    ],
)
def test_topologies_of_kueue_and_kai(source: str, api_version: str) -> None:
    declared = levelled(api_version, "default", "cloud.example/block", "cloud.example/rack", "kubernetes.io/hostname")
    found = network(RACKS, [declared])
    assert (found.source, found.levels.names) == (source, ("block", "rack", "node"))
    assert domains(found, "rack") == [0, 0, 1, 1]


def test_of_several_topologies_the_one_of_most_nodes_counts() -> None:
    few = levelled("kueue.x-k8s.io/v1beta1", "a-few", "cloud.example/other")
    most = levelled("kueue.x-k8s.io/v1beta1", "most", "cloud.example/rack")
    found = network(RACKS, [few, most])
    assert found.levels.names == ("rack", "node")
    assert found.problems == ("topology: of 2 Topologies the one named most is used",)


def test_a_topology_of_hosts_alone_tells_nothing() -> None:
    hosts = levelled("kueue.x-k8s.io/v1beta1", "hosts", "kubernetes.io/hostname")
    assert network(RACKS, [hosts]).source == "none"


def test_layers_of_koordinator_are_ordered_by_their_parents() -> None:
    layers: list[Json] = [
        {"topologyLayer": "NodeTopologyLayer", "parentTopologyLayer": "RackLayer"},
        {
            "topologyLayer": "RackLayer",
            "parentTopologyLayer": "BlockLayer",
            "labelKey": ["old/rack", "cloud.example/rack"],
        },
        {"topologyLayer": "BlockLayer", "labelKey": ["cloud.example/block"]},
    ]
    api = "scheduling.koordinator.sh/v1alpha1"
    found = network(RACKS, [custom(api, "ClusterNetworkTopology", "default", {"networkTopologySpec": layers}, "")])
    assert (found.source, len(found.levels)) == ("koordinator", 3)
    assert domains(found, 0) == [0, 0, 0, 0]
    assert domains(found, 1) == [0, 0, 1, 1]


# -- HyperNodes -----------------------------------------------------------------------------------------------------


def hyper(name: str, tier: int, *members: Json, **more: Json) -> CustomObject:
    spec: dict[str, Json] = {"tier": tier, "members": list(members), **more}
    return custom("topology.volcano.sh/v1alpha1", "HyperNode", name, spec, namespace="")


def exact(name: str, kind: str = "Node") -> Json:
    return {"type": kind, "selector": {"exactMatch": {"name": name}}}


def pattern(text: str, kind: str = "Node") -> Json:
    return {"type": kind, "selector": {"regexMatch": {"pattern": text}}}


PLAIN = [labelled(f"n{i}", {"part": "east" if i < 2 else "west"}) for i in range(4)]


def test_hypernodes_by_name_pattern_and_label() -> None:
    by_label: Json = {"type": "Node", "selector": {"labelMatch": {"matchLabels": {"part": "west"}}}}
    found = network(
        PLAIN,
        [
            hyper("s0", 1, exact("n0"), exact("n1")),
            hyper("s1", 1, by_label),
            hyper("top", 2, pattern("^s[01]$", "HyperNode"), tierName="spine"),
        ],
    )
    assert (found.source, found.levels.names) == ("volcano", ("spine", "tier-1", "node"))
    assert domains(found, "tier-1") == [0, 0, 1, 1]
    assert domains(found, "spine") == [0, 0, 0, 0]
    assert not found.problems


def test_hypernodes_need_not_be_equally_deep() -> None:
    found = network(
        PLAIN,
        [
            hyper("s0", 1, exact("n0"), exact("n1")),
            hyper("m0", 2, exact("s0", "HyperNode")),
            hyper("s1", 1, exact("n2"), exact("n3")),
            hyper("top", 3, exact("m0", "HyperNode"), exact("s1", "HyperNode")),
        ],
    )
    assert domains(found, "tier-1") == [0, 0, 1, 1]
    assert found.levels.known.all()
    assert not found.problems


def test_a_node_in_two_hypernodes_of_one_tier_is_in_neither() -> None:
    found = network(PLAIN, [hyper("a", 1, pattern("n[012]")), hyper("b", 1, pattern("n[23]"))])
    assert found.levels.known[0].tolist() == [True, True, False, True]
    assert "topology: n2 is in HyperNodes a and b of one tier" in found.problems


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (hyper("loop", 1, exact("loop", "HyperNode"), exact("n0")), "member of itself"),
        (hyper("bad", 1, pattern("n["), exact("n0")), "no regular expression"),
    ],
)
def test_hypernodes_that_make_no_sense_are_problems(broken: CustomObject, message: str) -> None:
    found = network(PLAIN, [broken])
    assert any(message in problem for problem in found.problems)
    assert found.levels.known[0].tolist() == [True, False, False, False]
