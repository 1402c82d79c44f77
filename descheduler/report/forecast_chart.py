"""The chart of a finding's forecast: the day before as it came and as it was forecast, and what is ahead with and
without the plan."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from descheduler.model import format as fmt
from descheduler.model.plan import EvidenceRow, FindingRow
from descheduler.report import words
from descheduler.report.drawing import AFTER, BEFORE, CAME, FAINT, HOT, INK, SAID, blank, drawn, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT, _TOP, _BOTTOM = 560, 176, 8, 150
_LEFT, _RIGHT, _PAST = 34, 552, 196  # pixels; the day before ends at the last one


def curve(finding: FindingRow, created: float, horizon_seconds: int) -> str:
    """As SVG."""
    known = finding.evidence if finding.evidence is not None and finding.evidence.came else None
    usual = finding.evidence.usual if finding.evidence is not None else ()
    levels = (*finding.curve, *finding.curve_after, *(known.came if known else ()), *(known.forecast if known else ()))
    top = max(finding.threshold, *levels) * 1.12
    left = _PAST + 10 if known else _LEFT
    figure, axes = blank(_WIDTH, _HEIGHT, margins=(left, _TOP, _RIGHT, _BOTTOM))
    hours = [(i + 1) * finding.step_seconds / 3600 for i in range(len(finding.curve))]
    _ahead(axes, finding, usual, hours, top, horizon_seconds)
    _frame(axes, finding, top, named=known is None)
    _clock(axes, created, hours[-1], 8 if known is None else 5)
    if known is not None:
        box = (_LEFT / _WIDTH, 1 - _BOTTOM / _HEIGHT, (_PAST - _LEFT) / _WIDTH, (_BOTTOM - _TOP) / _HEIGHT)
        past = figure.add_axes(box)
        past.patch.set_visible(False)
        _behind(past, known, finding.threshold, top)
        _frame(past, finding, top, named=True)
        past.set_xticks([-24, -12], [fmt.clock(created - 24 * 3600), "−12 h"])
    return drawn(figure, f"Forecast for {words.subject(finding.subject)}")


def _ahead(
    axes: Axes, finding: FindingRow, usual: tuple[float, ...], hours: list[float], top: float, horizon_seconds: int
) -> None:
    """What is ahead: from the median up to the quantile that counts, and that with the plan."""
    axes.set_xlim(0, hours[-1])
    above = [max(v, finding.threshold) for v in finding.curve]
    axes.fill([*hours, hours[-1], hours[0]], [*above, *[finding.threshold] * 2], color=HOT, alpha=0.18, linewidth=0)
    if len(usual) == len(hours):
        axes.fill([*hours, *hours[::-1]], [*finding.curve, *usual[::-1]], color=BEFORE, alpha=0.16, linewidth=0)
    horizon = min(horizon_seconds / 3600, hours[-1])
    axes.plot([horizon, horizon], [0, top], color=FAINT, linewidth=0.8, dashes=(2, 2))
    axes.text(horizon, top * 0.985, "  horizon", color=INK, fontsize=9, va="top")
    axes.plot([0, hours[-1]], [finding.threshold] * 2, color=HOT, linewidth=1.1, dashes=(4, 3))
    axes.plot(hours, finding.curve, color=BEFORE, linewidth=1.8)
    if finding.curve_after and finding.curve_after != finding.curve:
        axes.plot(hours, finding.curve_after, color=AFTER, linewidth=1.8)


def _behind(axes: Axes, known: EvidenceRow, threshold: float, top: float) -> None:
    """The day before: what came, and what had been forecast for it."""
    hours = (np.arange(len(known.came)) + 1) * known.step_seconds / 3600 - 24
    came = np.array(known.came)
    axes.set_xlim(-24, 0)
    axes.plot([-24, 0], [threshold] * 2, color=HOT, linewidth=1.1, dashes=(4, 3))
    axes.plot(hours, np.where(came >= 0, came, np.nan), color=CAME, linewidth=1.4)
    axes.plot(hours, known.forecast, color=SAID, linewidth=1.2, dashes=(3, 2))


def _frame(axes: Axes, finding: FindingRow, top: float, *, named: bool) -> None:
    axes.set_axis_on()
    axes.set_ylim(0, top)
    shares = (0.05, 0.1, 0.25, 0.5, 1.0)
    unit = next((u for u in shares if top / u <= 5), top / 4) if words.is_fraction(finding) else top / 4
    levels = [i * unit for i in range(int(top / unit) + 1)]
    names = ["", *(words.level(finding, level) for level in levels[1:])]
    axes.set_yticks(levels, names if named else [""] * len(levels))
    quiet(axes, labelsize=9, pad=4)


def _clock(axes: Axes, created: float, hours: float, most: int) -> None:
    step = 1 if hours <= most else math.ceil(hours / most)
    ticks = list(range(0, int(hours + 0.01) + 1, step))
    axes.set_xticks(ticks, ["now" if t == 0 else fmt.clock(created + 3600 * t) for t in ticks])
