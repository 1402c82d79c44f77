"""The page as a reader sees it, in a real Chromium: no complaint on the console, and every number the plan's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from descheduler.model.plan import PlanDocument
from descheduler.report.html import to_html
from descheduler.report.serial import from_json
from report.gpu_plans import gpu_plan
from report.plans import blocked_plan, empty_plan, large_plan, plan

if TYPE_CHECKING:
    from controlplane.browser import Browser

DATA = (
    "return [...document.querySelectorAll('data[data-key]')].map(e => [e.dataset.key, Number(e.value), e.textContent])"
)


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Any:
    """Open the page of a plan."""

    def open_page(document: PlanDocument) -> Browser:
        file = tmp_path / "report.html"
        file.write_text(to_html(document), encoding="utf-8")
        browser.open(file)
        return browser

    return open_page


def numbers(browser: Browser) -> dict[str, set[float]]:
    """Every number on the page by its key; a key that occurs twice must not say two things, but for proofs."""
    out: dict[str, set[float]] = {}
    for key, value, _ in browser.run(DATA):
        out.setdefault(key, set()).add(value)
    return out


@pytest.mark.parametrize("make", [plan, empty_plan, blocked_plan, large_plan])
def test_no_page_makes_the_browser_complain(opened: Any, make: Any) -> None:
    page = opened(make())
    assert page.console_errors() == []
    assert page.run("return document.styleSheets.length") == 1
    assert page.run("return getComputedStyle(document.body).margin") == "0px"


def test_the_numbers_on_the_page_are_the_plan_s(opened: Any) -> None:
    document = plan()
    found = numbers(opened(document))
    for key, value in document.summary.items():
        if f"summary.{key}" in found:
            assert found[f"summary.{key}"] == {value}, key
    assert {
        "summary.moves",
        "outcome.cured",
        "outcome.unanswered",
        "outcome.left-alone",
        "seconds",
        "summary.restarts",
    } <= set(found)
    for finding in document.findings:
        for name in ("value", "threshold", "after"):
            assert found[f"finding.{finding.id}.{name}"] == {getattr(finding, name)}
    for action in document.actions:
        assert found[f"action.{action.id}.worth"] == {action.worth}
        assert found[f"action.{action.id}.cost"] == {action.cost.total}
    assert found["refused"] == {float(sum(row.count for row in document.refusals))}


def test_the_plan_in_the_page_is_the_plan(opened: Any) -> None:
    text = opened(plan()).run("return document.getElementById('plan').textContent")
    assert from_json(text) == plan()


def test_every_move_budget_and_refusal_is_on_the_page(opened: Any) -> None:
    document = plan()
    page = opened(document)
    moves = page.run(
        "return [...document.querySelectorAll('tr[data-pod]')].map(r => [r.dataset.pod,"
        " r.cells[1].textContent, r.cells[3].textContent])"
    )
    expected = [(f"{p.namespace}/{p.pod}", p.source, p.destination) for a in document.actions for p in a.pods]
    assert sorted(map(tuple, moves)) == sorted(expected)
    budgets = page.run(
        "return [...document.querySelectorAll('[data-budget]')].map(e => [e.closest('[data-action]').dataset.action,"
        " e.dataset.budget, Number(e.dataset.used), Number(e.dataset.allowed)])"
    )
    assert sorted(map(tuple, budgets)) == sorted(
        (a.id, b.name, b.used, b.allowed) for a in document.actions for b in a.budgets
    )
    reasons = page.run(
        "return Object.fromEntries([...document.querySelectorAll('[data-reason]')]"
        ".map(e => [e.dataset.reason, Number(e.dataset.count)]))"
    )
    assert reasons == {row.reason: row.count for row in document.refusals}


def test_every_source_is_listed_with_its_state(opened: Any) -> None:
    states = opened(plan()).run(
        "return Object.fromEntries([...document.querySelectorAll('[data-state]')]"
        ".map(e => [e.dataset.sourceName, e.dataset.state]))"
    )
    assert states == {source.name: source.state for source in plan().sources}


def test_a_plan_that_must_not_be_executed_says_so_first(opened: Any) -> None:
    assert "Nothing may be executed" in opened(blocked_plan()).text("[role=alert]")


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_it_round(opened: Any) -> None:
    page = opened(plan())
    order = "return [...document.querySelectorAll('#nodes tbody tr')].map(r => r.dataset.node)"
    click = "document.querySelectorAll('#nodes th')[2].click()"
    page.run(click)
    assert page.run(order)[0] == "general-07"
    page.run(click)
    assert page.run(order)[-1] == "general-07"


def test_the_filter_hides_what_does_not_match_and_opens_what_does(opened: Any) -> None:
    page = opened(plan())
    field = page.driver.find_element("css selector", "input[data-filter=refused]")
    field.send_keys("cart")
    shown = page.run(
        "return [...document.querySelectorAll('#refused details')].filter(d => !d.hidden)"
        ".map(d => [d.dataset.reason, d.open])"
    )
    assert shown == [["DisruptionBudget", True]]


def test_links_from_a_finding_open_the_refusals_that_they_name(opened: Any) -> None:
    page = opened(plan())
    page.run("location.hash = '#r-GangWouldTear'")
    assert page.run(
        "return new Promise(done => setTimeout(() => done(document.getElementById('r-GangWouldTear').open)))"
    )


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_nothing_sticks_out_of_the_page(opened: Any, width: int) -> None:
    page = opened(plan())
    page.resize(width)
    wide, screen = page.run("return [document.documentElement.scrollWidth, innerWidth]")
    page.resize(1280)
    assert screen == width
    assert wide <= screen


def test_dark_colours_are_dark_and_charts_follow(opened: Any) -> None:
    page = opened(plan())
    look = (
        "const line = document.querySelector('path.s-before'), rect = document.querySelector('rect.f-h3');"
        "return [getComputedStyle(document.body).backgroundColor, getComputedStyle(line).stroke,"
        " getComputedStyle(rect).fill]"
    )
    light = page.run(look)
    page.emulate(dark=True)
    dark = page.run(look)
    page.emulate()
    assert all(before != after for before, after in zip(light, dark, strict=True))
    assert _brightness(dark[0]) < 60 < 200 < _brightness(light[0])


def test_on_paper_nothing_scrolls_and_the_page_is_light(opened: Any) -> None:
    page = opened(plan())
    page.emulate(dark=True, print_media=True)
    background, overflow = page.run(
        "return [getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('.scroll.tall')).overflowY]"
    )
    page.resize(700)
    wide = page.run("return document.documentElement.scrollWidth")
    page.resize(1280)
    page.emulate()
    assert _brightness(background) > 240
    assert overflow == "visible"
    assert wide <= 700


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("make", [plan, empty_plan, blocked_plan, gpu_plan])
def test_nobody_is_kept_from_reading_it(opened: Any, make: Any, dark: bool) -> None:
    page = opened(make())
    page.emulate(dark=dark)
    page.run("for (const one of document.querySelectorAll('details')) one.open = true")
    found = page.barriers()
    page.emulate()
    assert found == []


def test_the_page_leads_with_whether_it_acts_and_what_becomes_of_each_finding(opened: Any) -> None:
    document = plan(mode="active: by --mode and the policy")
    page = opened(document)
    assert page.text("[data-mode]") == "Active"
    fates = page.run(
        "return [...document.querySelectorAll('[data-fate]')].map(e => [e.dataset.fate, e.dataset.outcomeOf])"
    )
    assert [tuple(pair) for pair in fates] == [(found.id, found.outcome) for found in document.findings]
    order = page.run("return [...document.querySelectorAll('main > section')].map(e => e.id)")
    assert order.index("moves") < order.index("refused") < order.index("findings")


def test_why_pods_stay_is_told_of_all_pods(opened: Any) -> None:
    document = plan()
    told = opened(document).run(
        "return Object.fromEntries([...document.querySelectorAll('[data-staying]')]"
        ".map(e => [e.dataset.staying, Number(e.dataset.pods)]))"
    )
    assert told == document.staying
    assert sum(told.values()) + document.summary["movable_pods"] == document.summary["pods"]


@pytest.mark.parametrize(("typed", "reasons"), [("GangWouldTear", ["GangWouldTear"]), ("gangwould", ["GangWouldTear"])])
def test_refusals_are_found_by_the_code_of_their_reason(opened: Any, typed: str, reasons: list[str]) -> None:
    page = opened(plan())
    page.driver.find_element("css selector", "input[data-filter=refused]").send_keys(typed)
    shown = page.run(
        "return [...document.querySelectorAll('#refused details')].filter(d => !d.hidden).map(d => d.dataset.reason)"
    )
    assert shown == reasons


@pytest.mark.parametrize(("section", "hint"), [("refused", "descheduler explain pod"), ("nodes", "explain node")])
def test_a_filter_that_finds_nothing_says_so_and_what_to_run(opened: Any, section: str, hint: str) -> None:
    page = opened(plan())
    none = f"#{section} .none"
    assert not page.driver.find_element("css selector", none).is_displayed()
    field = page.driver.find_element("css selector", f"input[data-filter={section}]")
    field.send_keys("nowhere")
    assert "nowhere" in page.text(none)
    assert hint in page.text(none)
    field.clear()
    field.send_keys("a")
    assert not page.driver.find_element("css selector", none).is_displayed()


def test_cards_fold_and_a_link_unfolds_the_one_it_names(opened: Any) -> None:
    page = opened(plan())
    assert page.run("return document.getElementById('f3').open") is False
    page.run("location.hash = '#f3'")
    assert page.run("return new Promise(done => setTimeout(() => done(document.getElementById('f3').open)))")


def test_a_link_to_an_action_unfolds_its_card(opened: Any) -> None:
    page = opened(plan())
    page.run("document.getElementById('f1').open = false; location.hash = '#a1'")
    assert page.run("return new Promise(done => setTimeout(() => done(document.getElementById('f1').open)))")


def test_the_scale_of_heat_marks_the_threshold(opened: Any) -> None:
    marks = opened(plan()).run(
        "return [...document.querySelectorAll('[data-threshold]')].map(e => e.dataset.threshold)"
    )
    assert [float(mark) for mark in marks] == [0.75, 0.85]


def test_tables_are_sorted_from_the_keyboard(opened: Any) -> None:
    page = opened(plan())
    page.run("document.querySelectorAll('#nodes th button')[2].focus()")
    page.driver.switch_to.active_element.send_keys("\n")
    assert page.run("return document.querySelector('#nodes tbody tr').dataset.node") == "general-07"


def test_changes_from_the_default_policy_are_marked(opened: Any) -> None:
    changed = opened(plan()).run("return [...document.querySelectorAll('[data-setting]')].map(e => e.dataset.setting)")
    assert changed == ["limits.perWorkload"]


def _brightness(colour: str) -> float:
    """Mean of the channels of `rgb(r, g, b)`."""
    channels = colour[colour.index("(") + 1 : -1].split(",")[:3]
    return sum(float(channel) for channel in channels) / 3
