"""What one object can say to end a cycle: each attack is told by the object's name, stays with it, and has a twin."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from descheduler.gangs import resolve
from descheduler.kube.client.object_store import ObjectStore
from descheduler.kube.convert.decoding import Codec
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import KINDS
from descheduler.kube.convert.pieces import event_of
from descheduler.kube.recording.files import read_recording, write_recording
from descheduler.kube.recording.wire_objects import ClusterObjects
from descheduler.model.bounds import GPU_UNITS
from descheduler.model.quantity import amount
from descheduler.model.reasons import Reason
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe import Observed
from descheduler.pipeline import decide_on, outcome_of
from descheduler.policy import default_policy
from descheduler.topology import read_topology
from kube.wire_objects import Json, container, meta, node, pod

NOW = 1_760_000_000.0
DIGITS = "9" * 5000
GPU = "nvidia.com/gpu"
SCHEDULER_PLUGINS = "scheduling.x-k8s.io/PodGroup"
HYPER = "topology.volcano.sh/HyperNode"


def deep(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


def written(found: Json, **raw: str) -> bytes:
    """The object as JSON; `raw` puts text in the place of a value that is its name."""
    text = json.dumps(found)
    for name, value in raw.items():
        text = text.replace(json.dumps(name), value)
    return text.encode()


def snapshot(**kinds: Sequence[Json | bytes]) -> ClusterSnapshot:
    """Kinds by plural; `groups` and `hyper` for two optional ones."""
    keys = {"groups": SCHEDULER_PLUGINS, "hyper": HYPER}
    lines = {
        keys.get(kind, kind): tuple(one if isinstance(one, bytes) else written(one) for one in found)
        for kind, found in kinds.items()
    }
    return ClusterObjects(NOW, {"nodes": (written(node("n1")), written(node("n2"))), **lines}).snapshot()


def named(found: ClusterSnapshot, name: str) -> str:
    """The one problem, which is that of the object."""
    (problem,) = found.problems
    assert problem.startswith(f"{name}: ")
    return problem


def planned(found: ClusterSnapshot) -> str:
    """A whole cycle; the problems that its plan tells."""
    return "\n".join(decide_on(Observed(found, {}, NOW), default_policy(), {}).plan.problems)


def gang(annotations: Mapping[str, str] | None = None, labels: Mapping[str, str] | None = None) -> list[Json]:
    marks = {"annotations": dict(annotations or {}), "labels": dict(labels or {})}
    return [pod(f"g-{i}", node="n1", metadata=marks) for i in range(2)]


def minimum_of(written: str) -> list[Json]:
    marks = {"gang.scheduling.koordinator.sh/name": "g", "gang.scheduling.koordinator.sh/min-available": written}
    return gang(marks)


# -- JSON -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["metadata", "spec", "status"])
def test_json_that_is_nested_deeper_than_parsers_go_in_one_object_of_a_page(where: str) -> None:
    bad = pod("bad", node="n1")
    bad[where]["more"] = "DEEP"
    page = b'{"metadata":{"resourceVersion":"5"},"items":[%s,%s]}' % (
        written(pod("good", node="n2")),
        written(bad, DEEP=deep(100_000)),
    )
    codec = Codec(KINDS["pods"].at("v1"), Interner())
    store = ObjectStore(codec)
    items = codec.page(page)
    store.page(items)
    assert items.metadata.resource_version == "5"
    assert [(p.name, p.node, bool(p.problem)) for p in store.objects.values()] == [  # type: ignore[attr-defined]
        ("good", "n2", False),
        ("bad", "n1", True),
    ]
    assert store.problems == {"shop/bad": "Pod shop/bad: it is nested too deep"}


def test_json_that_is_nested_deeper_than_parsers_go_in_an_event() -> None:
    bad = pod("bad", node="n1", metadata={"managedFields": "DEEP"})
    event = event_of(b'{"type":"MODIFIED","object":%s}' % written(bad, DEEP=deep(100_000)))
    codec = Codec(KINDS["pods"].at("v1"), Interner())
    entry = codec.entry(codec.one(bytes(event.object)))
    assert (event.type, entry.key) == ("MODIFIED", "shop/bad")
    assert entry.problem.startswith("Pod shop/bad: ")


def test_json_that_is_nested_1500_deep_in_a_custom_object_and_its_twin() -> None:
    def group(levels: int) -> bytes:
        spec = {"minMember": 2, "template": "DEEP"}
        return written({"metadata": meta("g", "shop"), "spec": spec}, DEEP=deep(levels))

    pods = gang(labels={"scheduling.x-k8s.io/pod-group": "g"})
    bad = snapshot(pods=pods, groups=[group(1500)])
    named(bad, "PodGroup shop/g")
    blocked = resolve(bad).gangs[0].blocked
    assert blocked is not None
    assert blocked.reason is Reason.GANG_UNKNOWN
    assert "PodGroup shop/g" in planned(bad)
    twin = snapshot(pods=pods, groups=[group(40)])
    assert not twin.problems
    assert (resolve(twin).gangs[0].min_available, resolve(twin).gangs[0].blocked) == (2, None)


def test_a_recording_of_an_object_that_is_nested_too_deep_says_so_again_and_holds_nothing_of_it(tmp_path: Path) -> None:
    kind = KINDS[SCHEDULER_PLUGINS]
    group = {"metadata": meta("g", "shop"), "spec": {"minMember": 2, "more": {"secret": "DEEP"}}}
    codec = Codec(kind.at(kind.versions[0]), Interner())
    line = codec.slim(codec.one(written(group, DEEP=deep(1500))))
    assert b"secret" not in line
    write_recording(tmp_path / "r.zip", ClusterObjects(NOW, {SCHEDULER_PLUGINS: (line,)}))
    named(read_recording(tmp_path / "r.zip").snapshot, "PodGroup shop/g")


def test_broken_text_in_one_object_of_a_page_hides_no_other() -> None:
    bad = written(pod("bad", node="n1")).replace(b"app:1", b"app\xff\xfe")
    page = b'{"items":[%s,%s]}' % (bad, written(pod("good", node="n2")))
    items = Codec(KINDS["pods"].at("v1"), Interner()).page(page)
    assert [one.metadata.name for one in (*items.good, *items.broken)] == ["good", "bad"]


@pytest.mark.parametrize("field", ["creationTimestamp", "generation", "annotations", "ownerReferences", "labels"])
def test_metadata_of_another_type_leaves_the_object_its_name(field: str) -> None:
    found = snapshot(pods=[pod("bad", node="n1", metadata={field: [7]}), pod("good", node="n2")])
    named(found, "Pod shop/bad")
    assert [(n.name, n.ready) for n in found.nodes] == [("n1", False), ("n2", True)]


# -- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [DIGITS, "2147483648", "1" * 400])
def test_a_minimum_of_5000_digits(number: str) -> None:
    found = snapshot(pods=minimum_of(number))
    units = resolve(found)
    (unit,) = units.gangs
    assert unit.blocked is not None
    assert unit.blocked.reason is Reason.GANG_AMBIGUOUS
    assert len(unit.blocked.detail) < 500
    assert units.problems[0].startswith("Gang koordinator:shop/g: ")
    assert "Gang koordinator:shop/g" in planned(found)


def test_the_twin_a_gang_of_a_thousand_says_so() -> None:
    (unit,) = resolve(snapshot(pods=minimum_of("1000"))).gangs
    assert (unit.min_available, unit.blocked) == (1000, None)


def test_a_minimum_of_5000_digits_in_an_object() -> None:
    group = {"metadata": meta("g", "shop"), "spec": {"minMember": "N"}}
    pods = gang(labels={"scheduling.x-k8s.io/pod-group": "g"})
    found = snapshot(pods=pods, groups=[written(group, N=DIGITS)])
    named(found, "PodGroup shop/g")
    assert resolve(found).gangs[0].blocked is not None
    for number in ("2147483648", "1e300", "1" + "0" * 400):
        units = resolve(snapshot(pods=pods, groups=[written(group, N=number)]))
        assert units.gangs[0].blocked is not None
        assert units.problems


@pytest.mark.parametrize("written_so", [f"{DIGITS}%", "9999999999999%", 2**31, DIGITS, "a quarter"])
def test_a_budget_of_a_share_of_5000_digits(written_so: int | str) -> None:
    selector = {"matchLabels": {"app": "web"}}
    budget = {"metadata": meta("b", "shop"), "spec": {"selector": selector, "minAvailable": written_so}}
    found = snapshot(poddisruptionbudgets=[budget], pods=[pod("p")])
    assert len(named(found, "PodDisruptionBudget shop/b")) < 500
    (stands,) = found.budgets
    assert stands.stale
    assert stands.selector == LabelSelector.of({"app": "web"})  # whom it does not select it does not hold
    planned(found)


@pytest.mark.parametrize("written_so", ["100%", "0%", "25%", 3, "3", 2**31 - 1])
def test_the_twin_a_budget_of_any_share_is_read(written_so: int | str) -> None:
    spec = {"selector": {"matchLabels": {"app": "web"}}, "maxUnavailable": written_so}
    found = snapshot(poddisruptionbudgets=[{"metadata": meta("b", "shop"), "spec": spec}])
    assert found.budgets[0].max_unavailable == str(written_so)
    assert not found.problems


def test_an_affinity_with_gt_a_number_of_5000_digits() -> None:
    term = {"matchExpressions": [{"key": "size", "operator": "Gt", "values": [DIGITS]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    found = snapshot(pods=[pod("bad", node="n1", affinity={"nodeAffinity": required}), pod("good", node="n2")])
    planned(found)


@pytest.mark.parametrize("quantity", ["1e400", "9" * 400, "1E999999", "1" + "0" * 5000, "-1", "9223372036854775807"])
def test_an_absurd_quantity(quantity: str) -> None:
    found = snapshot(pods=[pod("bad", container(requests={"memory": quantity}), node="n1"), pod("good", node="n2")])
    assert len(named(found, "Pod shop/bad")) < 500
    assert [(n.name, n.ready) for n in found.nodes] == [("n1", False), ("n2", True)]


def test_the_sum_of_two_absurd_quantities() -> None:
    half = container("a", requests={"cpu": str(9 * 10**11)})
    found = snapshot(pods=[pod("bad", half, half | {"name": "b"}, node="n1"), pod("good", node="n2")])
    assert "together" in named(found, "Pod shop/bad")
    assert found.columns.requested.min() >= 0


def test_ten_thousand_large_pods_on_one_node_do_not_turn_its_sum_negative() -> None:
    large = container(requests={"memory": "1Pi"})
    found = snapshot(pods=[pod(f"p-{i}", large, node="n1") for i in range(10_000)])
    assert found.columns.requested.min() >= 0
    assert found.columns.requested.max() >= 2**62


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e3", 1000), ("0.1", 1), ("100m", 1), ("1Ei", 2**60), ("1.5Gi", 3 * 2**29), ("1e400", 2**63 - 1)],
)
def test_the_twin_odd_quantities_are_read_exactly(text: str, value: int) -> None:
    assert amount("memory", text) == value


def test_ten_to_the_ninth_gpus_on_a_node() -> None:
    found = snapshot(nodes=[node("n1", **{GPU: "1000000000"}), node("n2", **{GPU: "16"})])
    named(found, "Node n1")
    assert [(n.name, n.ready, n.gpus and n.gpus.count) for n in found.nodes] == [
        ("n1", False, None),
        ("n2", True, 16),
    ]
    planned(found)


def test_ten_to_the_ninth_gpus_of_one_pod_and_its_twin() -> None:
    many = container(limits={GPU: "1000000000"}, requests={GPU: "1000000000"})
    shared = container(limits={GPU: "16"}, requests={GPU: "16"})
    found = snapshot(
        nodes=[node("n1", **{GPU: str(GPU_UNITS)})], pods=[pod("bad", many, node=""), pod("good", shared, node="n1")]
    )
    named(found, "Pod shop/bad")
    assert [n.ready for n in found.nodes] == [True]  # the pod has no node
    planned(found)


@pytest.mark.parametrize("minor", [10**12, 2**31 - 1, -5])
def test_a_device_of_an_absurd_number(minor: int) -> None:
    key = "scheduling.koordinator.sh/Device"
    info = {"type": "gpu", "id": "GPU-0", "minor": minor, "health": True}
    partitions = json.dumps({"2": [{"minors": [0, minor]}]})
    table = {"annotations": {"scheduling.koordinator.sh/gpu-partitions": partitions}}
    for device in (
        {"metadata": meta("n1"), "spec": {"devices": [info]}},
        {"metadata": meta("n1", **table), "spec": {"devices": []}},
    ):
        found = snapshot(nodes=[node("n1", **{GPU: "8"}), node("n2", **{GPU: "8"})], **{key: [device]})
        first, second = (n.gpus for n in found.nodes)
        assert first is not None
        assert second is not None
        assert (bool(first.problem), bool(second.problem)) == (True, False)
        assert "n1" in planned(found)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2025-10-01T08:00:00.5+05:45"])
def test_odd_moments_are_moments(moment: str) -> None:
    odd = pod("odd", node="n1", metadata={"creationTimestamp": moment})
    found = snapshot(pods=[odd, pod("good", node="n2")])
    assert not found.problems
    planned(found)


# -- what stands in the place of what cannot be read ------------------------------------------------------------------


def test_pods_of_a_controller_that_cannot_be_read_stay() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "uid-shop-web", "controller": True}
    other = owner | {"name": "ok", "uid": "uid-shop-ok"}
    sets: list[Json] = [
        {"metadata": meta(name, "shop"), "spec": {"replicas": size}, "status": {"replicas": 1}}
        for name, size in (("web", 10**12), ("ok", 1))
    ]
    pods = [pod(name, node="n1", metadata={"ownerReferences": [o]}) for name, o in (("a", owner), ("b", other))]
    found = snapshot(replicasets=sets, pods=pods)
    named(found, "ReplicaSet shop/web")
    blocked = outcome_of(Observed(found, {}, NOW), default_policy(), {}).view.blocked
    why = [blocked(i) for i in range(2)]
    assert why[0] is not None
    assert why[0].reason is Reason.DATA_PARTIAL
    assert why[1] is None


# -- topology ---------------------------------------------------------------------------------------------------------


def hyper(name: str, tier: int, pattern: str = "", below: str = "") -> Json:
    selector: Json = {"regexMatch": {"pattern": pattern}} if pattern else {"exactMatch": {"name": below}}
    member = {"type": "Node" if pattern else "HyperNode", "selector": selector}
    return {"metadata": meta(name), "spec": {"tier": tier, "members": [member]}}


@pytest.mark.parametrize("pattern", ["(n+)+$", "(n|nn)+$", "n{99999999999}", "(", "(" * 900, "n" * 2000])
def test_a_pattern_that_takes_for_ever(pattern: str) -> None:
    name = "n" * 60 + "-1"
    found = snapshot(nodes=[node(name), node("r-2")], hyper=[hyper("bad", 1, pattern), hyper("good", 1, "^r-[0-9]+$")])
    topology = read_topology(found)
    assert any("HyperNode bad" in problem for problem in topology.problems)
    assert topology.levels.known[0].tolist() == [False, True]


def test_hypernodes_in_a_circle_and_in_a_long_chain() -> None:
    circle = [hyper("a", 1, below="b"), hyper("b", 2, below="a")]
    chain = [hyper("c-0000", 3, "^n1$"), *(hyper(f"c-{i:04}", 3 + i, below=f"c-{i - 1:04}") for i in range(1, 1500))]
    topology = read_topology(snapshot(hyper=[*circle, *chain]))
    assert len(topology.levels) < 50
    assert any("HyperNode" in problem for problem in topology.problems)


def test_selectors_with_a_hundred_thousand_values_are_looked_up() -> None:
    values = [f"v{i}" for i in range(100_000)]
    selector = {"matchExpressions": [{"key": "app", "operator": "In", "values": values}]}
    budgets = [{"metadata": meta(f"b-{i}", "shop"), "spec": {"selector": selector}} for i in range(3)]
    found: Any = snapshot(poddisruptionbudgets=budgets, pods=[pod(f"p-{i}") for i in range(50)])
    assert not found.problems
    planned(found)
