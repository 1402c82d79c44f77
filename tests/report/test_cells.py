"""Tables on terminals of every width: numbers stay whole, what is left out is named, ASCII where there is no more."""

from __future__ import annotations

import io

import pytest

from descheduler.report.cells import Terminal, plain, table
from descheduler.report.plain_letters import plain_letters
from descheduler.report.table import render
from report.gpu_plans import gpu_plan
from report.plans import large_plan, plan

WIDTHS = (40, 60, 80, 100, 120, 140, 200)


def printed(document: object, width: int, *, wide: bool = False) -> str:
    out = io.StringIO()
    render(document, Terminal(file=out, width=width, no_color=True, highlight=False), wide=wide)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("wide", [False, True])
def test_no_line_is_wider_than_the_terminal(width: int, wide: bool) -> None:
    for document in (plan(), gpu_plan(), large_plan(200, hot=8, refused=40)):
        assert max(map(len, printed(document, width, wide=wide).splitlines())) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_numbers_and_names_are_whole_or_left_out_by_name(width: int) -> None:
    made = table("name", "cost", "note", right=("cost",), spare=("note", "cost"))
    costs = ["10\u202f080", "4.68\u202fk", "123\u202f456\u202f789"]
    for cost in costs:
        made.add_row("a-name-of-some-length", cost, "a note that is long enough to be broken " * 3)
    out = io.StringIO()
    Terminal(file=out, width=width, no_color=True).print(made)
    text = out.getvalue()
    assert all(cost in text for cost in costs) or "left out for want of room: cost" in text.replace("note, ", "")
    assert "a-name-of-some-length" in text


def test_columns_without_a_header_are_each_as_wide_as_they_need() -> None:
    made = table("", "", "")
    made.add_row("!", "history server", "a")
    out = io.StringIO()
    Terminal(file=out, width=60, no_color=True).print(made)
    assert "history server" in out.getvalue()


def test_where_not_even_that_is_enough_values_stand_below_one_another() -> None:
    made = table("", "first", "second", right=("first", "second"))
    made.add_row("row", "1\u202f234\u202f567", "7\u202f654\u202f321")
    out = io.StringIO()
    Terminal(file=out, width=20, no_color=True).print(made)
    assert out.getvalue().split("\n")[0].strip() == "row"
    assert "first  1\u202f234\u202f567" in out.getvalue()


def test_a_number_in_a_sentence_is_not_cut_at_its_thousands() -> None:
    from rich.text import Text

    for width in range(12, 40):
        out = io.StringIO()
        Terminal(file=out, width=width, no_color=True).print(Text("made from 10\u202f080 to 123\u202f456 samples"))
        assert "10\u202f080" in out.getvalue()
        assert "123\u202f456" in out.getvalue()


def test_a_terminal_without_utf_8_gets_ascii_and_columns_in_line() -> None:
    class Latin(io.StringIO):
        encoding = "ascii"

    rich, poor = io.StringIO(), Latin()
    for file in (rich, poor):
        render(plan(), Terminal(file=file, width=160, no_color=True, highlight=False))
    assert poor.getvalue().isascii()
    assert not rich.getvalue().isascii()
    assert [len(line) for line in poor.getvalue().splitlines()] == [len(line) for line in rich.getvalue().splitlines()]


def test_a_dumb_terminal_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    out = io.StringIO()
    render(plan(), Terminal(file=out, force_terminal=True, width=160))
    assert out.getvalue().isascii()


def test_a_pipe_gets_ascii_only_where_it_is_asked_for() -> None:
    def draw(console: object) -> None:
        render(plan(), console)  # type: ignore[arg-type]

    assert "→" in plain(draw)
    assert plain(draw, poor=True).isascii()


@pytest.mark.parametrize(
    ("text", "letters"),
    [("a → b", "a > b"), ("café", "cafe"), ("10\u202f080", "10,080"), ("日本", "????"), ("plain", "plain")],
)
def test_signs_become_ones_as_wide(text: str, letters: str) -> None:
    assert plain_letters(text) == letters
