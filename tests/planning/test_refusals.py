"""A finding that stays says of everybody who was tried for it why he may not go, counted."""

from __future__ import annotations

from builders import cluster, key, node, pod, spec
from descheduler.model.labels import Labels
from descheduler.model.pods import NodeAffinity
from descheduler.model.selectors import NodeSelectorTerm, Operator, Requirement
from descheduler.planning import Outcome, build_document
from descheduler.planning.explain import explain
from descheduler.report.html import to_html
from descheduler.report.table import to_text
from histories import history, peaking
from planning.cases import hot, outcome

ONLY_HERE = NodeAffinity(
    required=(NodeSelectorTerm((Requirement("kubernetes.io/hostname", Operator.IN, ("n1",)),)),),
)


def warm(others: float) -> Outcome:
    """Node n1 will be hot by two pods that may be nowhere else, and two whom nothing keeps but how busy n2 and n3 are:
    with `others` cores each."""
    pods = [pod(f"here-{i}", node="n1", of=spec("2", node_affinity=ONLY_HERE)) for i in range(2)]
    pods += [pod(f"free-{i}", cpu="2", node="n1") for i in range(2)]
    pods += [pod(f"busy-{i}", cpu="100m", node=f"n{2 + i}") for i in range(2)]
    nodes = [node(f"n{i}", cpu="12", labels=Labels({"kubernetes.io/hostname": f"n{i}"})) for i in (1, 2, 3)]
    series = {
        key("ReplicaSet", "here"): peaking(0.5, 2.9, 20),
        key("ReplicaSet", "free"): peaking(0.5, 2.9, 20),
        key("ReplicaSet", "busy"): peaking(0.1, others, 20),
    }
    memory = dict.fromkeys(series, 64.0 * 2**20)
    return outcome(cluster(nodes, pods), [history("cpu", series), history("memory", memory)], [hot()])


def test_every_reason_is_counted_and_the_rows_give_an_example_of_each() -> None:
    plan = build_document(warm(8.0))
    (finding,) = (f for f in plan.findings if f.subject == "node/n1")
    assert (finding.outcome, finding.refused) == ("unanswered", {"DestinationHot": 2, "NoPlace": 2})
    rows = {row.reason: row for row in plan.refusals if row.finding == finding.id}
    assert {reason: row.count for reason, row in rows.items()} == finding.refused
    assert rows["NoPlace"].subject == "finding/node/n1"
    for text in (to_text(plan), to_html(plan)):
        assert "4 tried in vain: 2 DestinationHot, 2 NoPlace" in text


def test_it_is_explained_for_the_node_and_for_each_of_its_pods() -> None:
    found = warm(8.0)
    about = {c.name: c for c in explain(found, "node", "n1").checks}
    assert about["tried"].text == "4 tried in vain: 2 DestinationHot, 2 NoPlace"
    for name, why in (("here-0", "no other node can take it"), ("free-1", "would become hot")):
        told = next(c for c in explain(found, "pod", name).checks if c.name == "plan")
        assert told.passed is False
        assert told.text.startswith("tried for node/n1 and refused: ")
        assert why in told.text


def test_a_node_that_is_cured_does_not_tell_of_those_who_were_tried_in_vain() -> None:
    plan = build_document(warm(0.1))
    (finding,) = (f for f in plan.findings if f.subject == "node/n1")
    assert finding.outcome == "cured"
    assert "in vain" not in to_text(plan)
