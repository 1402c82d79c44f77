"""Texts of others reach no terminal with what drives it: escapes, returns, bells, C1, marks that turn the reading."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import structlog
from typer.testing import CliRunner

from descheduler.cli import logs
from descheduler.cli.main import app
from descheduler.model.errors import PolicyError
from descheduler.model.plan import PlanDocument
from descheduler.model.printable import one_line, printable
from descheduler.policy import load_policy
from descheduler.report.cells import Terminal
from descheduler.report.formats import FORMATS
from descheduler.report.serial import from_json, to_json

DRIVING = {
    "colours": "\x1b[31m",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\",
    "return": "\rall is well",
    "back": "\b\b\b",
    "C1": "\x9b2J",
    "delete": "\x7f",
    "reversed": "\u202egnp.exe\u2066",
    "hidden": "a\u200bb\ufeff\u00ad",
    "tags": "\U000e0041",
    "lines": "\u2028\u2029\x85\x0b\x0c",
}
BAD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
ALL = "".join(DRIVING.values())


@pytest.mark.parametrize("text", DRIVING.values(), ids=DRIVING)
def test_what_drives_a_terminal_is_written_out(text: str) -> None:
    assert not BAD.search(printable(f"a{text}b"))
    assert json.loads(printable(json.dumps(text, ensure_ascii=False))) == text


def test_what_is_merely_foreign_stays() -> None:
    text = "Grüße → 節点 ✓ é ёлка\tنص\nnext\u202fline – 🙂 \u00a0"
    assert printable(text) == text
    assert one_line("a\nb\x1b") == "a\\nb\\u001b"


@pytest.fixture(scope="module")
def hostile() -> PlanDocument:
    """The example's plan, with such characters behind every text that others can write."""
    document = from_json(CliRunner().invoke(app, ["plan", "--example", "-o", "json"]).stdout)
    fixed = {"format", "id", "apiVersion", "mode", "kind"}

    def driven(value: object, key: str = "") -> object:
        if isinstance(value, str):
            return value + ALL + "[red][link=http://evil]x[/]" if value and key not in fixed else value
        if isinstance(value, list | tuple):
            return [driven(one, key) for one in value]
        if isinstance(value, dict):
            return {name: driven(one, name) for name, one in value.items()}
        return value

    return msgspec.convert(driven(msgspec.to_builtins(document)), PlanDocument)


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_of_a_plan_drives_a_terminal(hostile: PlanDocument, tmp_path: Path, form: str) -> None:
    (tmp_path / "plan.json").write_bytes(to_json(hostile))
    done = CliRunner().invoke(app, ["show", str(tmp_path / "plan.json"), "-o", form])
    assert done.exit_code == 0, done.output
    assert not BAD.search(done.stdout)
    assert "owned" in done.stdout
    if form == "json":
        assert from_json(done.stdout) == hostile


def test_nor_does_a_table_in_colours(hostile: PlanDocument, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(to_json(hostile))
    shown = on_a_terminal("show", str(tmp_path / "plan.json"))
    without_ours = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "\n")
    assert "owned" in without_ours
    assert not BAD.search(without_ours)
    assert "\x1b[31mall" not in shown
    assert "]8;" not in without_ours.replace("\\u001b]8;", "")


def on_a_terminal(*arguments: str) -> str:
    """What a command writes where somebody watches."""
    ours, theirs = pty.openpty()
    command = Path(sys.executable).with_name("descheduler")
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    with subprocess.Popen([command, *arguments], stdout=theirs, stderr=theirs, env=environment) as running:
        os.close(theirs)
        found = bytearray()
        try:
            while block := os.read(ours, 1 << 16):
                found += block
        except OSError:
            pass  # the other side is closed
        os.close(ours)
        assert running.wait() == 0
    return found.decode()


def test_markup_in_a_text_is_text() -> None:
    out = io.StringIO()
    Terminal(file=out, force_terminal=True, width=80).print("x\x1b[2J", markup=False, highlight=False)
    assert out.getvalue() == "x\\u001b[2J\n"


@pytest.mark.parametrize("text", DRIVING.values(), ids=DRIVING)
def test_arguments_are_repeated_without_it(text: str) -> None:
    done = CliRunner().invoke(app, ["explain", "pod", f"shop/{text}x", "--example"])
    assert done.exit_code == 2
    assert "shop/" in done.stderr
    assert not BAD.search(done.stderr)


def test_problems_of_a_policy_are_one_line_each(tmp_path: Path) -> None:
    head = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
    with pytest.raises(PolicyError) as raised:
        load_policy(head + 'mode: "a\\nb\\e[31m\\u202e"\n"x\\ny": 1\n', "p.yaml")
    assert len(raised.value.problems) == 2
    assert not any(BAD.search(problem) or "\n" in problem for problem in raised.value.problems)


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logging_as_before")
@pytest.mark.parametrize("watched", [True, False])
def test_no_line_of_the_log_drives_a_terminal(monkeypatch: pytest.MonkeyPatch, watched: bool) -> None:
    class Watched(io.StringIO):
        def isatty(self) -> bool:
            return watched

    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stderr", out := Watched())
    logs.configure(service=True)
    structlog.get_logger("x").warning(f"said {ALL}", pod=f"p{ALL}", several=[ALL], error=ValueError(ALL))
    logging.getLogger("y").warning("others say %s", ALL)
    try:
        raise ValueError(ALL)
    except ValueError:
        structlog.get_logger("x").exception("failed")
    assert out.getvalue().count("owned") >= 6
    assert not BAD.search(out.getvalue())


def test_a_plan_whose_nodes_are_called_so_is_drawn(hostile: PlanDocument) -> None:
    """Charts are XML, which has no such characters at all."""
    from descheduler.report.html import to_html

    named = replace(hostile, nodes=tuple(replace(n, name="<b>\x01$", pool=r"$\frac{") for n in hostile.nodes))
    page = to_html(named)
    assert "<b>\x01" not in page
    assert r"$\frac{" in page
