"""RemovePodsViolatingTopologySpreadConstraint: how many leave which domain, and to where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from builders import cluster, node, pod, spec
from descheduler.model.labels import Labels
from descheduler.model.nodes import Node, Taint
from descheduler.model.pods import Pod, PodSpec, SpreadConstraint
from descheduler.model.selectors import LabelSelector
from descheduler.planning import ChosenStrategy
from descheduler_strategies.topology_spread import RemovePodsViolatingTopologySpreadConstraint
from strategies.balancing import Made, made

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
WEB = {"app": "web"}
NODES = [node("a1", zone="a"), node("b1", zone="b"), node("c1", zone="c")]


def constraint(skew: int = 1, key: str = ZONE, when: str = "DoNotSchedule", **more: object) -> SpreadConstraint:
    return SpreadConstraint(skew, key, when, LabelSelector.of(WEB), **more)  # type: ignore[arg-type]


def spread(*constraints: SpreadConstraint, **more: object) -> PodSpec:
    return spec(spread=constraints or (constraint(),), **more)


def pods(counts: Mapping[str, int], of: PodSpec | None = None, **more: object) -> list[Pod]:
    """Pods of `web`, so many on each node."""
    places = [name for name, count in counts.items() for _ in range(count)]
    more = {"labels": WEB, **more}
    return [pod(f"web-{i}", node=at, of=of or spread(), **more) for i, at in enumerate(places)]  # type: ignore[arg-type]


def spreading(**arguments: object) -> ChosenStrategy:
    strategy = RemovePodsViolatingTopologySpreadConstraint()
    return ChosenStrategy(strategy, strategy.Args.model_validate(arguments))


def plan(some: Sequence[Pod], nodes: Sequence[Node] = NODES, **arguments: object) -> Made:
    return made(cluster(nodes, some), spreading(**arguments))


def after(found: Made) -> dict[str, int]:
    return dict(sorted(Counter(one.node for one in found.after().pods).items()))


@pytest.mark.parametrize(
    ("counts", "skew", "moves"),
    [
        ({"a1": 4, "b1": 1, "c1": 1}, 1, 2),
        ({"a1": 3, "b1": 2, "c1": 2}, 1, 0),
        ({"a1": 3, "b1": 1, "c1": 2}, 1, 1),
        ({"a1": 3, "b1": 1, "c1": 2}, 2, 0),
        ({"a1": 5, "b1": 0, "c1": 0}, 1, 3),
        ({"a1": 5, "b1": 0, "c1": 0}, 3, 2),
    ],
)
def test_as_few_leave_as_bring_the_skew_to_what_is_allowed(counts: dict[str, int], skew: int, moves: int) -> None:
    found = plan(pods(counts, spread(constraint(skew))))
    assert len(found.gone) == moves
    there = after(found)
    assert max(there.values()) - min(there.get(name, 0) for name in ("a1", "b1", "c1")) <= max(skew, 0)
    assert made(found.after(), spreading()).gone == []


def test_the_finding_says_the_skew() -> None:
    (finding,) = plan(pods({"a1": 4, "b1": 1, "c1": 1})).document.findings
    assert (finding.value, finding.threshold, finding.resource, finding.outcome) == (3.0, 1.0, ZONE, "cured")
    assert finding.after == pytest.approx(0.0, abs=1e-5)
    assert finding.text == f"default/ReplicaSet/web has 4 pods in a and 1 in b by {ZONE}: 1 more are allowed"


def test_soft_constraints_are_looked_at_when_asked() -> None:
    some = pods({"a1": 4, "b1": 1, "c1": 1}, spread(constraint(when="ScheduleAnyway")))
    assert plan(some).gone == []
    assert len(plan(some, constraints=["ScheduleAnyway"]).gone) == 2
    assert len(plan(some, constraints=["DoNotSchedule", "ScheduleAnyway"]).gone) == 2


def test_pods_that_may_not_move_count_in_the_skew() -> None:
    held = {"descheduler.alpha.kubernetes.io/evict": "false"}
    fixed = [pod(f"held-{i}", node="b1", labels=WEB, of=spread(), annotations=held) for i in range(2)]
    some = [*pods({"a1": 2, "c1": 2}), *fixed]
    assert plan(some).gone == []
    moved = plan([*pods({"a1": 1, "c1": 1}), *fixed, pod("more-0", node="b1", labels=WEB, of=spread())])
    assert moved.gone == ["more-0"]


def test_the_label_selector_chooses_who_leaves_and_not_who_counts() -> None:
    some = pods({"a1": 2}, labels={**WEB, "tier": "x"})
    some += [pod(f"{at}-{i}", node=at, labels=WEB, of=spread()) for at in ("b1", "c1") for i in range(2)]
    assert plan(some, labelSelector={"matchLabels": {"tier": "x"}}).gone == []
    crowded = [*some, *(pod(f"d-{i}", node="a1", labels=WEB, of=spread()) for i in range(2))]
    assert sorted(plan(crowded, labelSelector={"matchLabels": {"tier": "x"}}).gone)[0].startswith("web-")
    assert plan(crowded, labelSelector={"matchLabels": {"tier": "y"}}).gone == []


def test_pods_that_end_do_not_count() -> None:
    ending = [pod(f"old-{i}", node="a1", labels=WEB, of=spread(), deleting=1.0) for i in range(3)]
    assert plan([*pods({"a1": 1, "b1": 1, "c1": 1}), *ending]).gone == []


def test_label_keys_tell_revisions_apart() -> None:
    by_revision = spread(constraint(match_label_keys=("rev",)))
    old = pods({"a1": 2, "b1": 2, "c1": 2}, by_revision, labels={**WEB, "rev": "1"})
    new = [pod(f"new-{i}", node=at, labels={**WEB, "rev": "2"}, of=by_revision) for i, at in enumerate(("a1", "b1"))]
    assert plan([*old, *new]).gone == []
    crowded = [pod(f"new-{i}", node="a1", labels={**WEB, "rev": "2"}, of=by_revision) for i in range(3)]
    assert len(plan([*old, *crowded]).gone) == 2


def test_nodes_that_affinity_excludes_are_no_domains_unless_ignored() -> None:
    x = {"pool": "x"}
    nodes = [node("a1", zone="a", labels=x), node("b1", zone="b", labels=x), node("c1", zone="c")]
    bound = Labels(x)
    assert plan(pods({"a1": 1, "b1": 2}, spread(node_selector=bound)), nodes).gone == []
    ignored = spread(constraint(node_affinity_policy="Ignore"), node_selector=bound)
    found = plan(pods({"a1": 1, "b1": 2}, ignored), nodes)  # c counts, and is empty, but nobody of them can go there
    assert found.gone == []
    assert found.document.findings[0].value == 2.0


def test_tainted_nodes_are_domains_unless_taints_are_honoured() -> None:
    nodes = [node("a1", zone="a"), node("b1", zone="b"), node("c1", zone="c", taints=[Taint("own", "", "NoSchedule")])]
    some = {"a1": 2, "b1": 2}
    assert plan(pods(some), nodes).document.findings[0].value == 2.0
    assert plan(pods(some, spread(constraint(node_taints_policy="Honor"))), nodes).document.findings == ()


def test_too_few_domains_count_as_one_that_is_empty() -> None:
    nodes = [node("a1", zone="a"), node("b1", zone="b")]
    assert plan(pods({"a1": 2, "b1": 2}, spread(constraint(min_domains=3))), nodes).gone == []
    assert plan(pods({"a1": 2, "b1": 1}, spread(constraint(min_domains=2))), nodes).gone == []


def test_a_domain_of_nodes_that_are_not_ready_is_none() -> None:
    nodes = [*NODES[:2], node("c1", zone="c", ready=False)]
    assert plan(pods({"a1": 2, "b1": 2}), nodes).document.findings == ()


def test_all_constraints_of_a_pod_are_kept_together() -> None:
    """By zone one must leave a; by host it may not go where its zone has two on one host already."""
    nodes = [node("a1", zone="a"), node("a2", zone="a"), node("b1", zone="b"), node("b2", zone="b")]
    both = spread(constraint(), constraint(1, HOST))
    found = plan(pods({"a1": 2, "a2": 2, "b1": 1}, both), nodes)
    assert found.landed != {}
    assert set(found.landed.values()) == {"b2"}
    assert made(found.after(), spreading()).gone == []


def test_a_soft_constraint_that_is_cured_breaks_no_other_one() -> None:
    nodes = [node("a1", zone="a"), node("a2", zone="a"), node("b1", zone="b"), node("b2", zone="b")]
    both = spread(constraint(1, ZONE, "ScheduleAnyway"), constraint(1, HOST, "ScheduleAnyway"))
    snapshot = cluster(nodes, pods({"a1": 2, "a2": 1, "b1": 0, "b2": 0}, both))
    for _ in range(4):
        found = made(snapshot, spreading(constraints=["ScheduleAnyway"]))
        snapshot = found.after()
    assert found.gone == []


def test_arguments_are_those_of_the_original() -> None:
    args = RemovePodsViolatingTopologySpreadConstraint.Args()
    assert args.model_dump(by_alias=True)["constraints"] == ("DoNotSchedule",)
    assert args.model_dump(by_alias=True)["topologyBalanceNodeFit"] is True
    with pytest.raises(ValueError, match="constraints"):
        spreading(constraints=["Never"])
