"""Tables of the terminal: one look for all of them, in colour or as plain text."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from descheduler.model.printable import printable

PLAIN_WIDTH, WIDE_WIDTH = 160, 260  # of tables that nobody's terminal limits


class Terminal(Console):
    """A console that no text drives: what would is written out."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)


class _Table(Table):
    """Cells are plain text: a `[` in a detail is no markup."""

    def add_row(self, *cells: RenderableType | None, **more: Any) -> None:
        super().add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells), **more)


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table; the columns named in `right` are set flush right."""
    made = _Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        justify = "right" if column in right else "left"
        made.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return made


def section(title: str, body: RenderableType) -> RenderableType:
    """A part of an answer under its title."""
    return Group(Text(), Text(title, style="bold"), body)


def plain(draw: Callable[[Console], None], *, wide: bool = False) -> str:
    """What `draw` prints, without colours and without blanks at the ends of lines."""
    text = io.StringIO()
    width = WIDE_WIDTH if wide else PLAIN_WIDTH
    draw(Terminal(file=text, width=width, no_color=True, highlight=False, force_terminal=False))
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())
