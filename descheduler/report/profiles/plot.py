"""History and forecast as a plot of Braille dots, for terminals."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from descheduler.model import format as fmt
from descheduler.model.arrays import Floats32
from descheduler.report.profiles.document import ProfileDocument
from descheduler.report.profiles.words import high, level, yesterday

_BRAILLE = 0x2800
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # Unicode 10, U+2800: dot of (row, column)
_PAST_SECONDS = 2 * 86400
_LABEL = 9


def plot(doc: ProfileDocument, width: int, height: int = 11) -> list[Text]:
    """Two days of history and the quantiles of the day ahead, in `height` lines and two more for the time."""
    columns = max(20, min(width, 120) - _LABEL - 1)
    past = np.array([np.nan if v is None else v for v in doc.history], np.float32)[-_PAST_SECONDS // doc.step :]
    curves = np.array([[np.nan if v is None else v for v in line] for line in doc.curves], np.float32)
    total = past.size + curves.shape[1]
    said = np.array([np.nan if v is None else v for v in doc.yesterday[high(doc)]], np.float32)[-past.size :]
    seen = [*past[np.isfinite(past)], *curves[np.isfinite(curves)], *said[np.isfinite(said)]]
    top = float(max(seen, default=0.0)) * 1.02 or 1.0
    now = round(past.size / total * columns)
    grids = [
        _dots(past, 0, total, columns, height, top),
        *(_dots(curve, past.size, total, columns, height, top) for curve in curves),
        _dots(said, past.size - said.size, total, columns, height, top),
    ]
    styles = ["", *(("green", "yellow", "red")[min(i, 2)] for i in range(len(curves))), "cyan"]
    lines = []
    for row in range(height):
        label = fmt.usage(top * (height - row) / height, doc.unit) if row % 4 == 0 else ""
        line = Text.assemble((f"{label:>{_LABEL}} ", "dim"))
        cells = (_cell([grid[row, column] for grid in grids], styles, column == now) for column in range(columns))
        for style, run in groupby(cells, key=lambda cell: cell[1]):
            line.append("".join(text for text, _ in run), style=style)
        lines.append(line)
    lines.append(_times(doc, past.size, curves.shape[1], columns, now))
    lines.append(_legend(doc, styles))
    return lines


def _dots(values: Floats32, offset: int, total: int, columns: int, height: int, top: float) -> NDArray[np.int64]:
    """[height, columns] Braille bits of a line: each dot column spans from the least to the largest value within it."""
    out = np.zeros((height, columns), np.int64)
    place = ((offset + np.arange(values.size)) * (2 * columns) // total).astype(np.int64)
    known = np.isfinite(values)
    for x in np.unique(place[known]):
        here = values[known & (place == x)]
        low, high = (min(4 * height - 1, int(v / top * 4 * height)) for v in (here.min(), here.max()))
        for y in range(low, high + 1):
            from_top = 4 * height - 1 - y
            out[from_top // 4, x // 2] |= _DOTS[from_top % 4, x % 2]
    return out


def _cell(bits: list[np.int64], styles: list[str], now: bool) -> tuple[str, str]:
    """The character of a cell and its style."""
    joined = int(np.bitwise_or.reduce(bits))
    if not joined:
        return ("│", "dim") if now else (" ", "")
    # The median is what one looks for, so it gives its colour where lines share a cell.
    return chr(_BRAILLE + joined), next(style for bit, style in zip(bits, styles, strict=True) if bit)


def _times(doc: ProfileDocument, past: int, ahead: int, columns: int, now: int) -> Text:
    begin, end = (f"{-past * doc.step // 3600} h", f"+{ahead * doc.step // 3600} h")
    text = begin.ljust(now)[:now] + f"now {fmt.clock(doc.origin)}"
    return Text(" " * (_LABEL + 1) + text.ljust(columns - len(end)) + end, style="dim")


def _legend(doc: ProfileDocument, styles: list[str]) -> Text:
    text = Text(" " * (_LABEL + 1))
    for quantile, style in zip(doc.quantiles, styles[1:-1], strict=True):
        text.append(f"{level(quantile)}  ", style=style)
    if yesterday(doc):
        text.append(f"{level(doc.quantiles[high(doc)])} as forecast yesterday", style=styles[-1])
    return text
