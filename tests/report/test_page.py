"""The page as text: whole, safe, bounded in size. What it looks like in a browser is the next file's business."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Reason
from descheduler.report.html import MAX_BYTES, to_html
from descheduler.report.serial import from_json, to_json
from report.plans import blocked_plan, empty_plan, findings, large_plan, plan, refusal


class _Outline(HTMLParser):
    """Ids, and what elements refer to."""

    VOID = frozenset({"meta", "link", "input", "br", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.foreign: list[str] = []
        self.styled: list[str] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if "style" in values or any(name.startswith("on") for name in values):
            self.styled.append(tag)
        for name in ("src", "href", "xlink:href", "action"):
            target = values.get(name)
            if target is not None and target.startswith("#"):
                self.links.append(target[1:])
            elif target is not None and target != "data:,":
                self.foreign.append(target)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)


def outline(page: str) -> _Outline:
    found = _Outline()
    found.feed(page)
    return found


def embedded(page: str) -> PlanDocument:
    match = re.search(r'<script type="application/json" id="plan"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert match is not None
    return from_json(match[1])


@pytest.mark.parametrize("document", [plan(), empty_plan(), blocked_plan()], ids=["plan", "empty", "blocked"])
def test_a_page_is_whole_loads_nothing_and_holds_its_plan(document: PlanDocument) -> None:
    page = to_html(document)
    found = outline(page)
    assert found.unbalanced == []
    assert found.open == []
    assert found.foreign == []
    assert found.styled == []
    assert len(found.ids) == len(set(found.ids))
    assert set(found.links) <= set(found.ids)
    assert embedded(page) == document
    assert len(page.encode()) < MAX_BYTES


def test_the_same_plan_gives_the_same_page() -> None:
    assert to_html(plan()) == to_html(plan())


def test_a_page_of_five_thousand_nodes_stays_under_a_megabyte_and_says_what_it_left_out() -> None:
    document = large_plan()
    page = to_html(document)
    assert len(page.encode()) < MAX_BYTES
    inside = embedded(page)
    left = len(document.nodes) - len(inside.nodes)
    assert left > 0
    assert f'data-nodes-left="{left}"' in page
    assert inside.summary == document.summary
    assert inside.actions == document.actions
    assert {node.name for node in document.nodes if node.before != node.after} <= {n.name for n in inside.nodes}


def test_a_page_of_very_many_findings_and_refusals_is_bounded_too() -> None:
    assert len(to_html(large_plan(5000, hot=600, refused=20_000)).encode()) < MAX_BYTES


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "</script><script>alert(1)", "<!--", '" onmouseover="x', "{{ 7*7 }}", "a&b"]
)
def test_names_from_the_cluster_cannot_become_markup(name: str) -> None:
    evil = findings()[0]
    document = plan(
        cluster=name,
        problems=(name,),
        refusals=(refusal(Reason.NO_PLACE, f"pod/{name}", name, name),),
        findings=(
            type(evil)(**{**{f: getattr(evil, f) for f in evil.__dataclass_fields__}, "subject": name, "text": name}),
        ),
    )
    page = to_html(document)
    assert "<script>alert" not in page
    found = outline(page)
    assert found.unbalanced == []
    assert found.styled == []
    assert embedded(page) == document


def test_refusals_beyond_the_bound_are_counted_all_the_same() -> None:
    document = large_plan(200, hot=5, refused=1000)
    page = to_html(document, max_refusals=50)
    counts = [int(n) for n in re.findall(r'data-reason="\w+" data-count="(\d+)"', page)]
    assert sum(counts) == 1000
    assert 50 <= page.count("<tr><td><code>pod/") <= 60


def test_charts_follow_the_colours_of_the_page() -> None:
    page = to_html(plan())
    charts = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert charts.count("<svg") > 8
    assert "#" not in charts
    assert "font-family" not in charts


def test_json_of_the_page_survives_a_round_trip_through_the_store() -> None:
    assert to_json(embedded(to_html(plan()))) == to_json(plan())
