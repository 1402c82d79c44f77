"""Where pods with resource claims may be, for clusters as the API server gives them."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.model.dra import Attribute, Capacity, PooledDevice
from descheduler.model.fence import Unreadable
from descheduler.model.quantity import parse_quantity
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import Predicate, WhatIf, prepare
from descheduler.scheduler.claims.failures import SelectorFailed
from descheduler.scheduler.claims.selectors import Selector
from kube.device_objects import (
    CLAIMS,
    DRIVER,
    chosen_by,
    claim,
    claim_of,
    claiming,
    device_class,
    gpu_device,
    mig_device,
    request,
    resource_slice,
    snapshot,
    stateful_set,
    taint_rule,
    template,
    templated,
)
from kube.wire_objects import Json, node, pod

NODES = [node("n1"), node("n2")]
OF = f'device.attributes["{DRIVER}"]'


def gpus(count: int, at: str = "n1", **more: Any) -> Json:
    return resource_slice(*(gpu_device(i, **more) for i in range(count)), node=at)


def cluster(*pods: Json, asked: Json | None = None, taken: dict[str, list[Json]] | None = None, **more: Any) -> Any:
    """Two nodes with two GPUs each, a StatefulSet `a` whose pods ask for one, and what is given."""
    found: dict[str, Any] = {
        "nodes": NODES,
        "slices": [gpus(2), gpus(2, "n2")],
        "classes": [device_class()],
        "templates": [asked or template("a")],
        "sets": [stateful_set("a", len(pods))],
        **(taken or {}),
        **more,
    }
    return snapshot(*pods, **found)


def verdicts(found: ClusterSnapshot, name: str = "a-0", state: WhatIf | None = None) -> dict[str, Predicate]:
    state = state or prepare(found).what_if()
    codes = state.verdicts(found.pod_index["shop", name])
    return {one.name: Predicate(int(code)) for one, code in zip(found.nodes, codes, strict=True)}


def waiting(asked: Json, **more: Any) -> dict[str, Predicate]:
    """Where a pod may be that waits with such a claim."""
    return verdicts(cluster(templated("a-0", "a", node=""), asked=asked, claims=[made(asked)], **more))


def made(asked: Json) -> Json:
    """The claim of `a-0` that was made from the template, and is not allocated yet."""
    return claim_of("a-0") | {"spec": asked["spec"]["spec"]}


def test_a_pod_goes_where_devices_of_its_class_are_free() -> None:
    found = cluster(
        templated("a-0", "a"),
        *(templated(f"b-{i}", "a", node="n2") for i in range(2)),
        claims=[claim_of("a-0", "gpu-0"), claim_of("b-0", "gpu-0", pool="n2"), claim_of("b-1", "gpu-1", pool="n2")],
    )
    assert verdicts(found) == {"n1": Predicate.OK, "n2": Predicate.DEVICE_CLAIMS}
    state = prepare(found).what_if()
    state.remove(found.pod_index["shop", "b-0"])
    assert verdicts(found, state=state)["n2"] is Predicate.OK
    moving = found.pod_index["shop", "a-0"]
    state.remove(moving)
    state.place(moving, 1)
    assert state.gpus_held(moving) == (0,)
    assert state.whole_gpus().tolist() == [2, 0]


def test_a_part_of_a_gpu_comes_and_goes_with_its_claim() -> None:
    """A MIG slice is no device of its own, and an eighth of its GPU's memory."""
    pools = [resource_slice(gpu_device(0), mig_device(0, 0), node=name) for name in ("n1", "n2")]
    parts = device_class("mig", f"device.driver == '{DRIVER}' && {OF}.type == 'mig'")
    asked = template("a", request(device_class="mig"))
    found = cluster(
        templated("a-0", "a"), asked=asked, classes=[parts], slices=pools, claims=[claim_of("a-0", "gpu-0-mig-19-0-1")]
    )
    at, state = found.pod_index["shop", "a-0"], prepare(found).what_if()
    before = state.gpu_milli().tolist()
    assert before == [[875], [1000]]
    state.remove(at)
    assert state.gpu_milli().tolist() == [[1000], [1000]]
    state.place(at, 1)
    assert state.gpu_milli().tolist() == [[1000], [875]]
    state.remove(at)
    state.place(at, 0)
    assert state.gpu_milli().tolist() == before


def test_whoever_still_ends_holds_its_devices() -> None:
    found = cluster(templated("a-0", "a"), slices=[gpus(1), gpus(1, "n2")], claims=[claim_of("a-0", "gpu-0")])
    at, state = found.pod_index["shop", "a-0"], prepare(found).what_if()
    state.remove(at)
    assert state.fits(at).tolist() == [True, True]
    state.linger(at, 0)
    assert state.fits(at).tolist() == [False, True]
    state.end(at, 0)
    assert state.fits(at).tolist() == [True, True]


def test_copies_of_a_state_have_devices_of_their_own() -> None:
    found = cluster(templated("a-0", "a"), claims=[claim_of("a-0", "gpu-0")], slices=[gpus(1), gpus(1, "n2")])
    at, state = found.pod_index["shop", "a-0"], prepare(found).what_if()
    twin = state.fork()
    twin.remove(at)
    twin.place(at, 1)
    other = twin.fork()
    other.remove(at)
    assert (state.gpus_held(at), twin.gpus_held(at), other.gpus_held(at)) == ((0,), (0,), ())
    assert [s.whole_gpus().tolist() for s in (state, twin, other)] == [[0, 1], [1, 0], [1, 1]]


REQUESTS: dict[str, tuple[Json, str]] = {
    "as many as are free": (template("a", request(count=2)), "n1 n2"),
    "more than there are": (template("a", request(count=3)), ""),
    "all": (template("a", request(allocationMode="All")), "n1 n2"),
    "a selector": (template("a", request(selectors=chosen_by(f"{OF}.rank == 7"))), "n2"),
    "two selectors": (template("a", request(selectors=chosen_by(f"{OF}.rank > 0", f"{OF}.rank < 8"))), "n1 n2"),
    "the first that can be had": (
        template(
            "a",
            {
                "name": "gpu",
                "firstAvailable": [
                    {"name": "many", "deviceClassName": DRIVER, "count": 9},
                    {"name": "few", "deviceClassName": DRIVER, "selectors": chosen_by(f"{OF}.rank == 7")},
                ],
            },
        ),
        "n2",
    ),
    "the same root": (
        template("a", request(count=2), constraints=[{"matchAttribute": "resource.kubernetes.io/pcieRoot"}]),
        "n1",
    ),
    "another root each": (
        template(
            "a", request("x"), request("y"), constraints=[{"distinctAttribute": "resource.kubernetes.io/pcieRoot"}]
        ),
        "n2",
    ),
}


@pytest.mark.parametrize(("asked", "nodes"), REQUESTS.values(), ids=REQUESTS)
def test_requests_are_met_as_the_scheduler_meets_them(asked: Json, nodes: str) -> None:
    first = resource_slice(gpu_device(0, rank=1), gpu_device(1, rank=2))  # both under one root
    second = resource_slice(gpu_device(0, rank=1), gpu_device(2, rank=7), node="n2")
    found = waiting(asked, slices=[first, second])
    assert " ".join(name for name, verdict in found.items() if verdict is Predicate.OK) == nodes


def test_a_tainted_device_is_for_those_who_tolerate_it() -> None:
    slices = [resource_slice(gpu_device(0, taints=[{"key": "xid", "effect": "NoSchedule"}])), gpus(0, "n2")]
    tolerating = template("a", request(tolerations=[{"key": "xid", "operator": "Exists"}]))
    assert waiting(template("a"), slices=slices)["n1"] is Predicate.DEVICE_CLAIMS
    assert waiting(tolerating, slices=slices)["n1"] is Predicate.OK


@pytest.mark.parametrize(
    ("selector", "nodes"),
    [
        ({"driver": DRIVER}, ""),
        ({}, ""),
        ({"pool": "n1"}, "n2"),
        ({"driver": DRIVER, "pool": "n1", "device": "gpu-0"}, "n2"),
        ({"device": "gpu-7"}, "n1 n2"),
        ({"driver": "other.test"}, "n1 n2"),
    ],
)
def test_rules_taint_the_devices_that_they_select(selector: dict[str, str], nodes: str) -> None:
    asked = template("a", request(count=2))
    for effect in ("NoSchedule", "NoExecute"):
        found = waiting(asked, rules=[taint_rule(effect, **selector)])
        assert " ".join(name for name, verdict in found.items() if verdict is Predicate.OK) == nodes
    tolerating = template("a", request(count=2, tolerations=[{"key": "kept", "operator": "Exists"}]))
    assert set(waiting(tolerating, rules=[taint_rule(**selector)]).values()) == {Predicate.OK}
    assert set(waiting(asked, rules=[taint_rule("None", **selector)]).values()) == {Predicate.OK}


def test_a_selector_that_fails_for_one_device_leaves_the_pod_without_a_node() -> None:
    asked = template("a", request(selectors=chosen_by(f"{OF}.rank == 1")))
    slices = [resource_slice(gpu_device(0, rank=1)), resource_slice(gpu_device(0), node="n2")]
    assert set(waiting(asked, slices=slices).values()) == {Predicate.SELECTOR_FAILS}
    guarded = template("a", request(selectors=chosen_by(f"has({OF}.rank) && {OF}.rank == 1")))
    assert waiting(guarded, slices=slices) == {"n1": Predicate.OK, "n2": Predicate.DEVICE_CLAIMS}


def test_parts_of_a_device_use_up_what_they_have_in_common() -> None:
    def part(name: str, memory: str) -> Json:
        used = [{"counterSet": "gpu-0", "counters": {"memory": {"value": memory}}}]
        return gpu_device(0) | {"name": name, "consumesCounters": used}

    counters = resource_slice(name="counters", count=2)
    counters["spec"]["sharedCounters"] = [{"name": "gpu-0", "counters": {"memory": {"value": "80Gi"}}}]
    parts = resource_slice(part("whole", "80Gi"), part("half-a", "40Gi"), part("half-b", "40Gi"), count=2)
    halves = waiting(template("a", request(count=2)), slices=[counters, parts])
    assert halves["n1"] is Predicate.OK  # for the whole leaves nothing
    taken = cluster(
        templated("a-0", "a", node=""),
        templated("b-0", "a"),
        slices=[counters, parts],
        claims=[claim_of("b-0", "whole"), made(template("a"))],
    )
    assert verdicts(taken)["n1"] is Predicate.DEVICE_CLAIMS


def test_capacity_that_may_be_shared_is_taken_bit_by_bit() -> None:
    device = gpu_device(0) | {"allowMultipleAllocations": True}
    device["capacity"] = {"memory": {"value": "80Gi", "requestPolicy": {"default": "10Gi"}}}
    given = claim_of("b-0", "gpu-0")
    given["status"]["allocation"]["devices"]["results"][0] |= {"shareID": "1", "consumedCapacity": {"memory": "50Gi"}}
    for wanted, verdict in (("30Gi", Predicate.OK), ("31Gi", Predicate.DEVICE_CLAIMS)):
        asked = template("a", request(capacity={"requests": {"memory": wanted}}))
        pods = (templated("a-0", "a", node=""), templated("b-0", "a"))
        found = cluster(*pods, asked=asked, slices=[resource_slice(device)], claims=[given, made(asked)])
        assert verdicts(found)["n1"] is verdict


def test_devices_that_several_nodes_reach() -> None:
    def reached(**spec: Any) -> Json:
        found = resource_slice(gpu_device(0), node="fabric")
        del found["spec"]["nodeName"]
        found["spec"] |= spec
        return found

    nodes = [node("n1", metadata={"labels": {"rack": "a"}}), node("n2", metadata={"labels": {"rack": "b"}})]
    in_rack = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "rack", "operator": "In", "values": ["b"]}]}]}
    each = reached(perDeviceNodeSelection=True)
    each["spec"]["devices"][0]["nodeName"] = "n1"
    for one, expected in (
        (reached(allNodes=True), "n1 n2"),
        (reached(nodeSelector=in_rack), "n2"),
        (each, "n1"),
    ):
        found = waiting(template("a"), slices=[one], nodes=nodes)
        assert " ".join(name for name, verdict in found.items() if verdict is Predicate.OK) == expected


def test_a_pool_that_is_being_replaced_gives_nothing() -> None:
    assert waiting(template("a"), slices=[resource_slice(gpu_device(0), count=2), gpus(1, "n2")]) == {
        "n1": Predicate.DEVICE_CLAIMS,
        "n2": Predicate.OK,
    }


def test_a_claim_by_itself_holds_its_pods_where_its_devices_are() -> None:
    ours = claim("ours", "gpu-0", holders=["p"])
    only = {"key": "metadata.name", "operator": "In", "values": ["n1"]}
    ours["status"]["allocation"]["nodeSelector"] = {"nodeSelectorTerms": [{"matchFields": [only]}]}
    found = cluster(pod("p", **claiming("ours")), claims=[ours])
    assert verdicts(found, "p") == {"n1": Predicate.OK, "n2": Predicate.CLAIM_ELSEWHERE}
    anywhere = claim("ours", "gpu-0", holders=["p"])
    assert verdicts(cluster(pod("p", **claiming("ours")), claims=[anywhere]), "p")["n2"] is Predicate.OK


UNKNOWN: dict[str, dict[str, Any]] = {
    "no template": {"templates": []},
    "no class": {"classes": []},
    "a selector of tomorrow": {"classes": [device_class(DRIVER, 'device.attributes["x.y"].orbit()')]},
    "a template that makes no sense": {"templates": [template("a", request(allocationMode="Some"))]},
}


@pytest.mark.parametrize("more", UNKNOWN.values(), ids=UNKNOWN)
def test_where_nobody_can_say_what_is_asked_no_node_is_good(more: dict[str, Any]) -> None:
    found = cluster(templated("a-0", "a"), templated("b-0", "b"), claims=[claim_of("a-0", "gpu-0")], **more)
    assert set(verdicts(found).values()) == {Predicate.UNREADABLE}
    assert any("a-0" in line for line in _problems(found))


def _problems(found: ClusterSnapshot) -> tuple[str, ...]:
    state = prepare(found).what_if()
    state.verdicts(found.pod_index["shop", "a-0"])
    return state.problems


def test_pods_without_claims_do_not_care() -> None:
    found = cluster(pod("p"), templated("a-0", "a"), claims=[], classes=[])
    assert set(verdicts(found, "p").values()) == {Predicate.OK}
    assert CLAIMS in found.objects


DEVICE = PooledDevice(
    "gpu-0",
    {
        "model": Attribute("string", "A100"),
        "index": Attribute("int", 3),
        "firmware": Attribute("version", "1.10.0"),
        "other.io/fast": Attribute("bool", True),
    },
    {"memory": Capacity(parse_quantity("80Gi"))},
)
SELECTORS = {
    "device.driver == 'gpu.nvidia.com'": True,
    f'{OF}.model == "A100" && {OF}.index in [1, 3]': True,
    f'{OF}.index == "3"': False,
    'device.attributes["other.io"].fast': True,
    'has(device.attributes["nowhere.io"].fast)': False,
    f'{OF}.firmware.isGreaterThan(semver("1.9.9"))': True,
    f'{OF}.firmware.compareTo(semver("v1.10", true)) == 0': True,
    f'{OF}.firmware.isLessThan(semver("1.10.0-rc.1"))': False,
    f'device.capacity["{DRIVER}"].memory.compareTo(quantity("81920Mi")) == 0': True,
    f'cel.bind(d, {OF}, d.index > 1 && d.model.matches("^A"))': True,
    f"{OF}.absent == 1 || true": True,
    f"{OF}.?index.orValue(1) == 3": True,
    f'{OF}.?absent.orValue("A100") == "A100"': True,
    f"{OF}.?absent.hasValue()": False,
    f'{OF}[?"model"].hasValue() && {OF}.?index.value() == 3': True,
    f'{OF}.?absent.or({OF}.?model).orValue("") == "A100"': True,
    f"{OF}.?absent == optional.none()": True,
    'device.attributes["nowhere.io"].?fast.orValue(false)': False,
    f'device.capacity["{DRIVER}"].?memory.orValue(quantity("0")).isGreaterThan(quantity("40Gi"))': True,
    f'cel.bind(d, {OF}, d.?model.orValue("") == "A100")': True,
    f"{OF}.model != '.?index.orValue(1)'": True,
}


@pytest.mark.parametrize(("expression", "expected"), SELECTORS.items(), ids=SELECTORS)
def test_selectors(expression: str, expected: bool) -> None:
    assert Selector(expression).matches(DRIVER, DEVICE) is expected


@pytest.mark.parametrize(
    "expression", [f"{OF}.absent == 1", f"{OF}.?absent.value() == 1", f"{OF}.index < 'x'", f"{OF}.index", "1 / 0 == 1"]
)
def test_selectors_that_fail(expression: str) -> None:
    with pytest.raises(SelectorFailed):
        Selector(expression).matches(DRIVER, DEVICE)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "(",
        f"{OF}.?model.optMap(m, m + 'x').hasValue()",
        f"{OF}.?model.size() == 1",
        f'device.attributes[?"{DRIVER}"].hasValue()',
        '"a.b" in device.attributes',
        "device.driver.flip()",
    ],
)
def test_selectors_that_nobody_here_can_judge(expression: str) -> None:
    with pytest.raises(Unreadable):
        Selector(expression)
