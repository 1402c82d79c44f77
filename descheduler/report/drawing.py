"""What all charts of the page are drawn with: colours that become classes of the style sheet, and figures in pixels."""

from __future__ import annotations

import io
import logging
import threading
from typing import TYPE_CHECKING

from descheduler.model.printable import printable
from descheduler.report import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOCK = threading.Lock()  # matplotlib's settings are global

# Colours that are never seen: each stands for a class of the style sheet.
BINS = 11
INK, FAINT, BEFORE, AFTER, HOT = "#000001", "#000002", "#000003", "#000004", "#000005"
USED, SCATTERED, WHOLE, UNKNOWN = "#000006", "#000007", "#000008", "#000009"
CAME, SAID = "#00000a", "#00000b"
HEAT = tuple(f"#0001{i:02x}" for i in range(BINS))
CLASSES = {
    INK: "ink",
    FAINT: "faint",
    BEFORE: "before",
    AFTER: "after",
    HOT: "hot",
    USED: "used",
    SCATTERED: "scattered",
    WHOLE: "whole",
    UNKNOWN: "unknown",
    CAME: "came",
    SAID: "said",
    **{colour: f"h{i}" for i, colour in enumerate(HEAT)},
}


def blank(width: float, height: float, margins: tuple[float, float, float, float] | None = None) -> tuple[Figure, Axes]:
    """Axes whose units are pixels from the top left corner, unless `margins` (left, top, right, bottom) frame them."""
    from matplotlib.figure import Figure

    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    left, top, right, bottom = margins or (0, 0, width, height)
    axes = figure.add_axes((left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    axes.patch.set_visible(False)
    figure.patch.set_visible(False)
    return figure, axes


def write(axes: Axes, x: float, y: float, text: str, *, fontsize: float) -> None:
    """A text of others: without what XML cannot hold, and no formula."""
    axes.text(x, y, printable(text), color=INK, fontsize=fontsize, parse_math=False)


def quiet(axes: Axes, *, labelsize: float, pad: float) -> None:
    """Lines of levels and a line below, without a frame or ticks."""
    axes.tick_params(length=0, labelsize=labelsize, labelcolor=INK, pad=pad)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)


def drawn(figure: Figure, label: str, tips: dict[str, str] | None = None) -> str:
    import matplotlib as mpl

    out = io.StringIO()
    with LOCK, mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "plan", "path.simplify": False}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return svg.tidy(out.getvalue(), CLASSES, label, tips)
