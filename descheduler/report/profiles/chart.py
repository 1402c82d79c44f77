"""History with the fan of the forecast, as SVG for the page."""

from __future__ import annotations

import io
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from descheduler.model import format as fmt
from descheduler.report import svg
from descheduler.report.drawing import quiet
from descheduler.report.profiles.document import ProfileDocument
from descheduler.report.profiles.words import high

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Colours that are never seen: each stands for a class of the style sheet.
_INK, _FAINT, _PAST, _MEDIAN, _HIGH = "#000001", "#000002", "#000003", "#000004", "#000005"
CLASSES = {_INK: "ink", _FAINT: "faint", _PAST: "before", _MEDIAN: "after", _HIGH: "high"}
_WIDTH, _HEIGHT = 1080.0, 300.0
_LOCK = threading.Lock()  # matplotlib's settings are global


def fan(doc: ProfileDocument, past_seconds: int) -> str:
    """The last `past_seconds` of history and the quantiles of what is ahead."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    past = np.array([np.nan if v is None else v for v in doc.history])[-max(1, past_seconds // doc.step) :]
    curves = np.array([[np.nan if v is None else v for v in line] for line in doc.curves])
    said = np.array([np.nan if v is None else v for v in doc.yesterday[high(doc)]])[-past.size :]
    hours = doc.step / 3600
    before, after = (np.arange(past.size) - past.size + 1) * hours, (np.arange(curves.shape[1]) + 1) * hours
    figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72), dpi=72)
    figure.patch.set_visible(False)
    axes = figure.add_axes((0.055, 0.09, 0.94, 0.88))
    axes.patch.set_visible(False)
    seen = [*past[np.isfinite(past)], *curves[np.isfinite(curves)], *said[np.isfinite(said)]]
    top = float(max(seen, default=0.0)) * 1.06 or 1.0
    axes.plot(before, past, color=_PAST, linewidth=1.1)
    if np.isfinite(said).any():
        axes.plot(before[-said.size :], said, color=_HIGH, linewidth=0.8, dashes=(2, 2))
    if np.isfinite(curves).any():
        for lower, upper in pairwise(curves):
            axes.fill([*after, *after[::-1]], [*upper, *lower[::-1]], color=_MEDIAN, alpha=0.22, linewidth=0)
        axes.plot(after, curves[-1], color=_HIGH, linewidth=1.0)
        axes.plot(after, curves[0], color=_MEDIAN, linewidth=1.8)
    _scales(axes, doc, before[0], after[-1], top)
    out = io.StringIO()
    with _LOCK, mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "profile", "path.simplify": True}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return svg.tidy(out.getvalue(), CLASSES, f"History and forecast of {doc.signal} of {doc.workload}")


def _scales(axes: Axes, doc: ProfileDocument, first: float, last: float, top: float) -> None:
    axes.set_xlim(first, last)
    axes.set_ylim(0, top)
    axes.plot([0, 0], [0, top], color=_FAINT, linewidth=1.0, dashes=(3, 3))
    every = 24 if last - first > 72 else 6
    ticks = range(int(-(-first // every)) * every, int(last) + 1, every)
    axes.set_xticks(list(ticks), [_tick(doc, tick) for tick in ticks])
    levels = [top * i / 4 for i in range(1, 4)]
    axes.set_yticks(levels, [fmt.usage(level, doc.unit) for level in levels])
    quiet(axes, labelsize=10, pad=5)


def _tick(doc: ProfileDocument, hours: int) -> str:
    if hours == 0:
        return f"now {fmt.clock(doc.origin)}"
    return f"{hours:+d} h" if abs(hours) < 48 else f"{hours // 24:+d} d"
