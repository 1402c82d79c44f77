"""Replays for people: tables and pages say what the documents hold, and load nothing."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from descheduler.report.backtests import table, words
from descheduler.report.backtests.document import (
    BACKTEST_FORMAT,
    TUNING_FORMAT,
    VERSION,
    Backtest,
    Contestant,
    Estimate,
    Refused,
    Replay,
    Restarts,
    Trial,
    Tuning,
    Varied,
)
from descheduler.report.backtests.page import to_html, tuning_to_html
from descheduler.report.cells import Terminal, plain
from descheduler.report.serial import to_indented_json
from report.test_page import outline

if TYPE_CHECKING:
    from controlplane.browser import Browser

EVIL = "<script>alert(1)</script>"
REPLAY = Replay(
    product="1", cluster=EVIL, begin=1_793_188_800, end=1_793_275_200, step_seconds=300, startup_seconds=60.0,
    seeds=(0, 1), nodes=4, pods=8, workloads=2, gpus=0, gpu_slot=0, thresholds={"cpu": (0.6, 0.75), "memory": (0.85,)},
    judged_by="a.yaml", notes=("pods stand where they stood",),
)  # fmt: skip


def sure(value: float) -> Estimate:
    return Estimate(value, value, value, (value, value))


def contestant(name: str, kind: str, hot: float, **more: float) -> Contestant:
    figures = {"hot_minutes": Estimate(hot, hot - 4, hot + 9, (hot - 1, hot + 1))}
    figures |= {key: sure(value) for key, value in more.items()}
    acted = kind != "nobody"
    return Contestant(
        name, kind, "abc" if kind == "policy" else "", "directed" if kind == "policy" else "", figures,
        (Restarts(f"{EVIL}/Deployment/web", more["restarts"]),) if acted else (),
        (Refused("NoGain", "it would not help", 12.5),) if kind == "policy" else (),
        tuple([hot / 1440] * 288),
    )  # fmt: skip


def backtest() -> Backtest:
    return Backtest(
        BACKTEST_FORMAT, VERSION, REPLAY,
        (
            contestant("nobody", "nobody", 1200, excess=12_345.0),
            contestant("a.yaml", "policy", 300, spared=0.75, evictions=4, restarts=4, precision=0.9, plans=288),
            contestant("LowNodeLoad", "peer", 500, spared=0.58, evictions=80, restarts=80),
            contestant("oracle", "oracle", 100, spared=0.92, evictions=6, restarts=6),
        ),
    )  # fmt: skip


def trial(name: str, hot: float, moved: float, *, front: bool, share: float = 1.0, **values: str) -> Trial:
    figures = {"hot_minutes": sure(hot), "restarts": sure(moved), "evictions": sure(moved), "caused": sure(0)}
    return Trial(
        name, {f"HotNodes.{key}": value for key, value in values.items()}, "h", share, hot + moved, front, figures
    )


def tuning() -> Tuning:
    return Tuning(
        TUNING_FORMAT, VERSION, REPLAY, "a.yaml", "directed", (Varied("HotNodes.x", ("1", "2", EVIL)),), 1.0, 9, 3.4, 3,
        {"hot_minutes": sure(1200)},
        (
            trial("t1", 300, 4, front=True, x="1"),
            trial("as is", 320, 6, front=False),
            trial("t2", 100, 300, front=True, x="2"),
            trial("t3", 50, 1, front=False, share=1 / 3, x=EVIL),
        ),
        "t1", "# Found\nkind: DeschedulerPolicy\n",
    )  # fmt: skip


def test_the_verdict_names_nobody_the_best_policy_and_the_best_peer() -> None:
    assert words.verdict(backtest()) == (
        "Without anybody nodes are hot for 1\u202f200 node-minutes, with a.yaml for 300 node-minutes after 4 "
        "evictions, with LowNodeLoad for 500 node-minutes after 80 evictions."
    )
    cool = replace(backtest(), contenders=(contestant("nobody", "nobody", 0),))
    assert words.verdict(cool) == "No node gets hot in this time, whether anybody acts or not."


def test_the_table_has_everybody_with_intervals() -> None:
    text = plain(lambda console: table.render(backtest(), console), wide=True)
    for part in (
        "a.yaml",
        "LowNodeLoad",
        "oracle",
        "300 ± 9",
        "75%",
        "12.3\u202fk",
        "it would not help",
        "above 60% or 75%",
    ):
        assert part in text


def test_a_terminal_of_eighty_columns_breaks_no_number() -> None:
    out = io.StringIO()
    table.render(backtest(), Terminal(file=out, width=80, no_color=True, highlight=False))
    assert "1\u202f200 ± 9" in out.getvalue()
    assert "pending" not in out.getvalue()  # nobody has the figure


def test_the_trials_are_marked() -> None:
    text = plain(lambda console: table.render_tuning(tuning(), console), wide=True)
    for part in ("t1 ←", "t2 ●", "as it is", "33%", "# Found", "3 combinations, 4 tried, 3 over the whole time"):
        assert part in text
    assert "caused" not in text  # nobody has any


@pytest.mark.parametrize("document", [backtest(), tuning()])
def test_the_same_document_gives_the_same_bytes(document: Backtest | Tuning) -> None:
    assert to_indented_json(document) == to_indented_json(document)
    assert f'"format": "{document.format}"'.encode() in to_indented_json(document)


@pytest.mark.parametrize("page", [to_html(backtest()), tuning_to_html(tuning())], ids=["backtest", "tuning"])
def test_pages_are_whole_and_load_nothing(page: str) -> None:
    outline(page)
    assert EVIL not in page
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)
    assert page.count("<svg") == 1


def test_the_curves_have_a_colour_for_everybody() -> None:
    page = to_html(backtest())
    for at in range(4):
        assert f"s-c{at}" in page.partition("</style>")[2]


def test_the_chart_names_what_was_tried_and_leaves_short_walks_out() -> None:
    chart = tuning_to_html(tuning()).partition("<figure")[2].partition("</figure>")[0]
    assert "t1: HotNodes.x=1" in chart
    assert "as is: as it is" in chart
    assert "t3" not in chart


@pytest.mark.browser
@pytest.mark.parametrize("page", [to_html(backtest()), tuning_to_html(tuning())], ids=["backtest", "tuning"])
def test_no_page_makes_the_browser_complain(browser: Browser, tmp_path: Path, page: str) -> None:
    file = tmp_path / "page.html"
    file.write_text(page, encoding="utf-8")
    browser.open(file)
    assert browser.console_errors() == []
    assert browser.run("return document.querySelector('figure svg').getBoundingClientRect().width") > 600
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")
