"""Tables of the terminal: one look for all of them, in colour or as plain text, as wide as there is room."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from descheduler.model.printable import printable
from descheduler.report.plain_letters import plain_letters

PLAIN_WIDTH, WIDE_WIDTH = 160, 260  # of tables that nobody's terminal limits
_PAD, _GAP = 2, 3  # cells: behind a column, and with the line of the box
_THIN, _HELD = "\u202f", "\ufdd0"  # between thousands; and what stands there meanwhile, at which no line is broken
_WORD = 22  # cells: a longer word of a text may be broken to save a column


class Terminal(Console):
    """A console that no text drives: what would is written out. One that has no more than ASCII gets no more."""

    @property
    def poor(self) -> bool:
        """Whether its encoding, or TERM=dumb, says that it shows ASCII alone."""
        return self.is_dumb_terminal or not self.encoding.startswith("utf")

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        poor = self.poor
        for text, style, control in super().render(_unbroken(renderable), options):
            shown = text if control else printable(text.replace(_HELD, _THIN))
            yield Segment(plain_letters(shown) if poor and not control else shown, style, control)


def _unbroken(renderable: RenderableType) -> RenderableType:
    """A text in which no number is cut at its thousands when lines are broken."""
    if not isinstance(renderable, Text) or _THIN not in renderable.plain:
        return renderable
    held = renderable.copy()
    held.plain = held.plain.replace(_THIN, _HELD)
    return held


class _Table(Table):
    """Cells are plain text: a `[` in a detail is no markup. Numbers are never cut: where there is no room for all
    columns those in `spare` are left out, the first of them first, and where that is not enough rows are written one
    value below the other."""

    spare: tuple[str, ...] = ()

    def add_row(self, *cells: RenderableType | None, **more: Any) -> None:
        super().add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells), **more)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shapes = {column._index: _shape(console, options, column) for column in self.columns}
        kept = list(self.columns)
        for name in self.spare:
            if _least(shapes, kept) <= options.max_width:
                break
            kept = [column for column in kept if column.header != name]
        if _least(shapes, kept) > options.max_width:
            yield from self._below_one_another()
            return
        left = [str(column.header) for column in self.columns if column not in kept]
        whole, self.columns = self.columns, _sized(shapes, kept, options.max_width)
        try:
            yield from super().__rich_console__(console, options)
        finally:
            self.columns = whole
        if left:
            yield Text(f"left out for want of room: {', '.join(left)}", style="dim")

    def _below_one_another(self) -> Iterator[RenderableType]:
        _, *others = self.columns
        for row in zip(*(column.cells for column in self.columns), strict=True):
            if str(row[0]).strip():
                yield row[0] if isinstance(row[0], Text) else Text(str(row[0]))
            for column, cell in zip(others, row[1:], strict=True):
                if str(cell).strip():
                    told = cell if isinstance(cell, Text) else Text(str(cell))
                    yield Padding(Text.assemble((f"{column.header}  ", "dim"), told), (0, 0, 0, 2))


def table(*columns: str, right: tuple[str, ...] = (), spare: tuple[str, ...] = ()) -> Table:
    """An empty table; the columns named in `right` are set flush right, those in `spare` may be left out in this order
    where a terminal is narrow."""
    made = _Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, show_edge=False, padding=(0, _PAD, 0, 0))
    made.spare = spare
    for column in columns:
        justify = "right" if column in right else "left"
        made.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return made


def section(title: str, body: RenderableType) -> RenderableType:
    """A part of an answer under its title."""
    return Group(Text(), Text(title, style="bold"), body)


def plain(draw: Callable[[Console], None], *, wide: bool = False, poor: bool = False) -> str:
    """What `draw` prints, without colours and without blanks at the ends of lines; in ASCII alone where `poor`."""
    text = io.StringIO()
    width = WIDE_WIDTH if wide else PLAIN_WIDTH
    draw(Terminal(file=text, width=width, no_color=True, highlight=False, force_terminal=False))
    lines = text.getvalue().splitlines()
    return "".join(f"{(plain_letters(line) if poor else line).rstrip()}\n" for line in lines)


def _shape(console: Console, options: ConsoleOptions, column: Column) -> Measurement:
    """Cells below which a column cannot be read, all of a number and the longest word of a text; and those it wants."""
    free = options.update(width=10_000)
    head = Measurement.get(console, free, column.header)
    cells = [Measurement.get(console, free, cell) for cell in column.cells]
    most = max((cell.maximum for cell in cells), default=0)
    if column.justify == "right" or column.no_wrap:
        least = most
    else:
        least = max((min(cell.minimum, _WORD) for cell in cells), default=0)
    least = max(least, head.minimum, column.min_width or 0)
    return Measurement(least, max(least, most, head.maximum))


def _least(shapes: dict[int, Measurement], columns: list[Column]) -> int:
    return sum(shapes[column._index].minimum for column in columns) + _GAP * (len(columns) - 1)


def _sized(shapes: dict[int, Measurement], columns: list[Column], width: int) -> list[Column]:
    """The columns with widths: each has what it needs, and those that want little more are given it first."""
    left = width - _least(shapes, columns)
    widths = {}
    by_want = sorted(columns, key=lambda column: shapes[column._index].span)
    for at, column in enumerate(by_want):
        shape = shapes[column._index]
        more = min(shape.span, left // (len(by_want) - at))
        widths[column._index] = shape.minimum + more
        left -= more
    return [_copy(column, widths[column._index]) for column in columns]


def _copy(column: Column, width: int) -> Column:
    made = column.copy()
    made.width, made._cells = width, column._cells
    return made
