"""The GPU map in the table and on the page: every device, what is known of it, and what the plan does to it."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from rich.console import Console

from descheduler.model.plan import PlanDocument
from descheduler.report.gpus import blocks, note, view
from descheduler.report.html import MAX_BYTES, to_html
from descheduler.report.serial import from_json, to_json
from descheduler.report.table import render
from report.gpu_plans import CHAT, gpu_map, gpu_plan, hold, large_gpu_plan, row
from report.plans import plan

if TYPE_CHECKING:
    from controlplane.browser import Browser


def printed(document: PlanDocument, *, wide: bool = False) -> str:
    out = io.StringIO()
    render(document, Console(file=out, width=240, no_color=True, highlight=False), wide=wide)
    return out.getvalue()


def strips(document: PlanDocument) -> dict[str, tuple[str, str]]:
    found = view(document, 100)
    assert found is not None
    return {one.row.name: (blocks(one.before), blocks(one.after)) for one in found.strips}


class TestTheRows:
    def test_a_strip_has_a_block_for_each_device(self) -> None:
        assert strips(gpu_plan()) == {
            "gpu-04": ("░█░░░░█░", "░░░░░░░░"),
            "gpu-05": ("█░░░░░░░", "██░░░░░░"),
            "gpu-10": ("░░░░░░░░", "░░░█░░░░"),
            "gpu-11": ("██▒░░░░×", "██▒░░░░×"),
        }

    def test_users_of_one_gpu_stand_in_one_block(self) -> None:
        users = tuple(hold(f"w{i}", CHAT, milli=250, count=1) for i in range(5))
        shared = row("gpu-04", users, devices=2, units=4)
        assert strips(replace(gpu_plan(), gpus=replace(gpu_map(), nodes=(shared,)))) == {"gpu-04": ("█▒", "█▒")}
        assert "each GPU is 4 units of nvidia.com/gpu" in note(shared)

    def test_moves_are_named_with_the_action_that_makes_them(self) -> None:
        found = view(gpu_plan(), 100)
        assert found is not None
        moves = {one.row.name: one.moves for one in found.strips}
        assert moves["gpu-04"] == ("−ml/chat-5b8c4f-00000 (a4)", "−ml/chat-5b8c4f-00006 (a4)")
        assert moves["gpu-05"] == ("+ml/chat-5b8c4f-00000 (a4)",)
        assert moves["gpu-11"] == ()

    def test_a_pending_pod_comes_with_the_action_that_makes_room_for_it(self) -> None:
        seated = row("gpu-04", (), (hold("pretrain-0", "ml/Job/pretrain", count=8),))
        found = view(replace(gpu_plan(), gpus=replace(gpu_map(), nodes=(seated,))), 100)
        assert found is not None
        assert found.strips[0].moves == ("+ml/pretrain-0 (a4)",)
        assert {cell.text for cell in found.strips[0].after} == {"A"}

    def test_a_guess_a_source_and_an_assumption_are_said(self) -> None:
        found = view(gpu_plan(), 100)
        assert found is not None
        by = {one.row.name: one for one in found.strips}
        assert "which one is not known: ml/blind" in by["gpu-11"].before[0].title
        assert by["gpu-04"].before[1].title == "gpu-04 GPU 1: ml/chat-5b8c4f-00000, says status, leaves (a4)"
        assert by["gpu-11"].before[2].title == (
            "gpu-11 GPU 2: 30% ml/vision-a, says status; 20% ml/vision-b, says status"
        )
        assert by["gpu-11"].before[2].text == "50"
        assert "pods x and y hold GPU 2" in by["gpu-11"].note
        assert by["gpu-04"].note == "the kubelet chooses the devices"
        assert by["gpu-10"].note == ""

    def test_those_that_change_come_first_when_not_all_are_shown(self) -> None:
        found = view(gpu_plan(), 2)
        assert found is not None
        assert [one.changed for one in found.strips] == [True, True]
        assert found.left_out == 3 + 2

    def test_more_holders_than_devices_do_not_break_the_picture(self) -> None:
        crowded = row("gpu-00", (hold("many", CHAT, count=9), hold("other", CHAT, (11,))))
        assert strips(plan(gpus=replace(gpu_map(), nodes=(crowded,))))["gpu-00"][0] == "████████"


class TestTheTable:
    def test_it_shows_capacity_and_the_nodes_that_change(self) -> None:
        text = printed(gpu_plan())
        assert "░█░░░░█░ → ░░░░░░░░" in text
        assert "gpu-11" not in text
        assert "0 → 1" in text
        assert "On 6 nodes the kubelet chooses among the devices" in text

    def test_wide_shows_all_that_the_plan_lists_with_their_source(self) -> None:
        text = printed(gpu_plan(), wide=True)
        assert "██▒░░░░×" in text
        assert "dra" in text
        assert "pods x and y hold GPU 2" in text

    def test_a_bound_and_the_gain_of_a_move_stand_beside_the_finding(self) -> None:
        text = " ".join(printed(gpu_plan()).split())
        assert "14 30 22 at most 24" in text
        assert "8 gained with 2 moves, 4 a move" in text
        assert "moves allowed 35" in text

    def test_whom_room_is_made_for_and_in_which_stage_is_said(self) -> None:
        text = " ".join(printed(gpu_plan()).split())
        assert "stage 2 of 2, after a3" in text
        assert "room for ml/pretrain-0 on gpu-04 and 1 more" in text

    def test_a_plan_without_bounds_has_no_column_for_them(self) -> None:
        assert "at best" not in printed(plan())


class TestTheDocument:
    def test_it_survives_storage(self) -> None:
        assert from_json(to_json(gpu_plan())) == gpu_plan()

    def test_documents_of_before_the_map_are_read(self) -> None:
        old = msgspec.json.decode(to_json(plan()))
        del old["gpus"]
        for finding in old["findings"]:
            del finding["numbers"], finding["bound"]
        assert from_json(msgspec.json.encode(old)) == plan()


class TestThePage:
    def test_it_stays_under_a_megabyte_whatever_changes_and_says_what_it_left_out(self) -> None:
        document = large_gpu_plan()
        page = to_html(document)
        assert len(page.encode()) < MAX_BYTES
        match = re.search(r'<script type="application/json" id="plan"[^>]*>(.*?)</script>', page, re.DOTALL)
        assert match is not None
        inside = from_json(match[1])
        assert inside.gpus is not None
        left = 1500 - len(inside.gpus.nodes)
        assert f'data-gpu-nodes-left="{left}"' in page
        assert inside.gpus.left_out == 5 + left
        assert document.gpus is not None
        assert inside.gpus.capacity == document.gpus.capacity

    @pytest.mark.parametrize("name", ["<script>alert(1)</script>", '" onmouseover="x', "{{ 7*7 }}"])
    def test_names_cannot_become_markup(self, name: str) -> None:
        found = gpu_map()
        evil = replace(found.nodes[0], name=name, model=name, problem=name)
        page = to_html(plan(gpus=replace(found, nodes=(evil,))))
        assert "<script>alert" not in page
        assert ' onmouseover="x' not in page

    def test_what_began_before_the_plan_is_not_expected_but_there(self) -> None:
        document = gpu_plan()
        found = replace(document.findings[1], since=document.created - 86400.0)
        page = to_html(replace(document, findings=(document.findings[0], found)))
        assert "since 2026-10-28 12:00:00 UTC" in page


class TestInABrowser:
    @pytest.fixture
    def page(self, browser: Browser, tmp_path: Path) -> Browser:
        file = tmp_path / "report.html"
        file.write_text(to_html(gpu_plan()), encoding="utf-8")
        browser.open(file)
        return browser

    def test_it_does_not_complain(self, page: Browser) -> None:
        assert page.console_errors() == []

    def test_it_says_whom_room_is_made_for_and_where_replacements_are_steered(self, page: Browser) -> None:
        text = page.text("#a4")
        assert "stage 2 of 2, after a3" in text
        assert "Makes room for ml/pretrain-0 on gpu-04, ml/pretrain-1 on gpu-04." in text
        assert "steered away from gpu-04" in text

    def test_every_device_is_there_as_text_with_a_title(self, page: Browser) -> None:
        cells = page.run(
            "return [...document.querySelectorAll('tr[data-gpu-node] .strip')]"
            ".map(s => [s.getAttribute('aria-label'), [...s.children].map(c => [c.textContent, c.title])])"
        )
        assert [label for label, _ in cells] == [
            *("gpu-04 before", "gpu-04 after", "gpu-05 before", "gpu-05 after"),
            *("gpu-10 before", "gpu-10 after", "gpu-11 before"),
        ]
        assert all(len(found) == 8 for _, found in cells)
        assert all(text.strip() and title for _, found in cells for text, title in found)

    def test_the_numbers_are_the_plan_s(self, page: Browser) -> None:
        found = dict(
            page.run("return [...document.querySelectorAll('#gpus data')].map(e => [e.dataset.key, Number(e.value)])")
        )
        for node in gpu_map().nodes:
            assert found[f"gpu.{node.name}.free_before"] == node.free_before
            assert found[f"gpu.{node.name}.free_after"] == node.free_after
        assert found["capacity.gpu.H100.slots of 8.before"] == 0
        assert found["capacity.gpu.H100.slots of 8.after"] == 1
        assert page.run("return Number(document.querySelector('data[data-key=\"finding.f2.bound\"]').value)") == 24
        assert page.run("return document.querySelector('[data-unsteerable]').dataset.unsteerable") == "6"

    def test_held_free_and_moving_devices_look_different_and_in_the_dark_too(self, page: Browser) -> None:
        look = (
            "const cells = document.querySelectorAll('tr[data-gpu-node=\"gpu-04\"] .strip li');"
            "const of = e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).outlineStyle];"
            "return [of(cells[0]), of(cells[1])]"
        )
        (free, _), (held, outline) = page.run(look)
        page.emulate(dark=True)
        (_, _), (dark, _) = page.run(look)
        page.emulate()
        assert outline == "dashed"
        assert len({free, held, dark}) == 3

    @pytest.mark.parametrize("width", [390, 1280])
    def test_nothing_sticks_out_of_the_page(self, page: Browser, width: int) -> None:
        page.driver.set_window_size(width, 900)
        wide, screen = page.run("return [document.documentElement.scrollWidth, innerWidth]")
        page.driver.set_window_size(1280, 900)
        assert wide <= screen
