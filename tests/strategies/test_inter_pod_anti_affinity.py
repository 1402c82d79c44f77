"""RemovePodsViolatingInterPodAntiAffinity: which of those who may not stand together goes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from builders import budget, cluster, node, pod, spec
from descheduler.model.pods import PodAffinity, PodAffinityTerm, PodSpec
from descheduler.model.selectors import LabelSelector
from descheduler.planning import ChosenStrategy
from descheduler_strategies.inter_pod_anti_affinity import RemovePodsViolatingInterPodAntiAffinity
from strategies.balancing import Made, made

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
NODES = [node("n0", zone="a"), node("n1", zone="a"), node("n2", zone="b"), node("n3", zone="c")]
WEB, DB = {"app": "web"}, {"app": "db"}


def apart(labels: Mapping[str, str], key: str = HOST, **more: object) -> PodSpec:
    """A spec that keeps pods with these labels away."""
    term = PodAffinityTerm(key, LabelSelector.of(labels), **more)  # type: ignore[arg-type]
    return spec(anti_affinity=PodAffinity(required=(term,)))


def anti(**arguments: object) -> ChosenStrategy:
    strategy = RemovePodsViolatingInterPodAntiAffinity()
    return ChosenStrategy(strategy, strategy.Args.model_validate(arguments))


def plan(*pods: object, **arguments: object) -> Made:
    return made(cluster(NODES, pods), anti(**arguments))  # type: ignore[arg-type]


def test_of_pods_that_keep_each_other_away_all_but_one_go() -> None:
    pods = [pod(f"web-{i}", node="n0", of=apart(WEB), labels=WEB) for i in range(3)]
    found = plan(*pods)
    assert len(found.gone) == 2
    assert len(set(found.landed.values())) == 2
    assert made(found.after(), anti()).gone == []
    (finding,) = found.document.findings
    assert (finding.value, finding.after) == (2.0, 0.0)
    assert (
        finding.text == "required anti-affinity by kubernetes.io/hostname is broken by 2 pods of default/ReplicaSet/web"
    )


def test_those_who_stand_apart_stay() -> None:
    pods = [pod(f"web-{i}", node=f"n{i}", of=apart(WEB), labels=WEB) for i in range(3)]
    assert plan(*pods).gone == []
    assert plan(pod("web-0", node="n0", of=apart(WEB), labels=WEB), pod("db-0", node="n0", labels=DB)).gone == []


def test_of_two_equal_ones_the_one_that_carries_the_rule_goes() -> None:
    assert plan(pod("a-0", node="n0", labels=DB), pod("web-0", node="n0", of=apart(DB))).gone == ["web-0"]


def test_of_two_the_one_of_lower_priority_goes_whoever_carries_the_rule() -> None:
    low, high = pod("db-0", node="n0", labels=DB, priority=1), pod("web-0", node="n0", of=apart(DB), priority=5)
    assert plan(low, high).gone == ["db-0"]


def test_one_goes_rather_than_many() -> None:
    several = [pod(f"db-{i}", node="n0", labels=DB) for i in range(3)]
    assert plan(*several, pod("web-0", node="n0", of=apart(DB), priority=5)).gone == ["web-0"]


def test_a_pod_that_may_not_go_is_left_and_the_other_goes() -> None:
    held = pod("web-0", node="n0", of=apart(DB), annotations={"descheduler.alpha.kubernetes.io/evict": "false"})
    assert plan(held, pod("db-0", node="n0", labels=DB)).gone == ["db-0"]


def test_several_do_not_go_for_one_that_only_waits_for_its_budget() -> None:
    several = [pod(f"db-{i}", node="n0", labels=DB) for i in range(3)]
    held = pod("web-0", node="n0", of=apart(DB), labels=WEB)
    snapshot = cluster(NODES, [*several, held], [budget("web", WEB, allowed=0)])
    assert made(snapshot, anti()).gone == []
    for_good = {"descheduler.alpha.kubernetes.io/evict": "false"}
    never = pod("web-0", node="n0", of=apart(DB), labels=WEB, annotations=for_good)
    assert len(plan(*several, never).gone) == 3


@pytest.mark.parametrize(("key", "gone"), [(HOST, 0), (ZONE, 1)])
def test_what_counts_is_the_domain(key: str, gone: int) -> None:
    pods = [pod(f"web-{i}", node=f"n{i}", of=apart(WEB, key), labels=WEB) for i in range(2)]
    assert len(plan(*pods).gone) == gone


def test_namespaces_of_a_term_are_chosen_by_name_by_label_or_are_its_own() -> None:
    def with_db_in(namespace: str, **more: object) -> list[str]:
        pods = [pod("web-0", node="n0", of=apart(DB, **more)), pod("db-0", node="n0", labels=DB, namespace=namespace)]
        return made(cluster(NODES, pods, namespaces={"other": {"team": "x"}}), anti()).gone

    assert with_db_in("default") == ["web-0"]
    assert with_db_in("other") == []
    assert with_db_in("other", namespaces=("other",)) == ["web-0"]
    assert with_db_in("other", namespace_selector=LabelSelector.of({"team": "x"})) == ["web-0"]
    assert with_db_in("other", namespace_selector=LabelSelector()) == ["web-0"]
    assert with_db_in("other", namespace_selector=LabelSelector.of({"team": "y"})) == []


def test_label_keys_narrow_a_term() -> None:
    def pair(first: str, second: str, **keys: object) -> int:
        versions = [{**WEB, "version": first}, {**WEB, "version": second}]
        pods = [pod(f"web-{i}", node="n0", of=apart(WEB, **keys), labels=labels) for i, labels in enumerate(versions)]
        return len(plan(*pods).gone)

    assert pair("1", "2") == 1
    assert pair("1", "2", match_label_keys=("version",)) == 0
    assert pair("1", "1", match_label_keys=("version",)) == 1
    assert pair("1", "1", mismatch_label_keys=("version",)) == 0
    assert pair("1", "2", mismatch_label_keys=("version",)) == 1


def test_pods_that_end_are_waited_for() -> None:
    ending = pod("web-0", node="n0", of=apart(WEB), labels=WEB, deleting=1.0)
    assert plan(ending, pod("web-1", node="n0", of=apart(WEB), labels=WEB)).gone == []


def test_pods_that_are_not_selected_count_and_stay() -> None:
    pods = [pod("web-0", node="n0", of=apart(DB), labels=WEB), pod("db-0", node="n0", labels=DB, priority=-1)]
    assert plan(*pods, labelSelector={"matchLabels": WEB}).gone == ["web-0"]
    assert plan(*pods, labelSelector={"matchLabels": DB}).gone == ["db-0"]
    assert plan(*pods, labelSelector={"matchLabels": {"app": "none"}}).gone == []


def test_where_every_domain_is_taken_nobody_moves() -> None:
    pods = [pod(f"web-{i}", node=f"n{i % 4}", of=apart(WEB), labels=WEB) for i in range(5)]
    found = plan(*pods)
    assert found.gone == []
    assert found.document.findings[0].refused == {"NoPlace": 2}
