"""The charts of replays, as SVG for the page: hot nodes over time, and what fewer of them cost."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from descheduler.model.arrays import Floats
from descheduler.report import svg
from descheduler.report.backtests import words
from descheduler.report.backtests.document import Backtest, Replay, Trial, Tuning
from descheduler.report.drawing import quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = 8
"""Contenders that have a colour of their own."""

# Colours that are never seen: each stands for a class of the style sheet.
_INK, _FAINT, _SHORT, _FRONT, _BEST = "#000001", "#000002", "#000003", "#000004", "#000005"
_LINES = tuple(f"#0002{i:02x}" for i in range(LINES))
CLASSES = {
    _INK: "ink",
    _FAINT: "faint",
    _SHORT: "short",
    _FRONT: "front",
    _BEST: "best",
    **{colour: f"c{i}" for i, colour in enumerate(_LINES)},
}
_WIDTH, _HEIGHT = 1080.0, 320.0
_INNER = (0.06, 0.14, 0.93, 0.83)  # left, bottom, width and height of the axes, as parts of the picture
_POINTS = 360
_LOCK = threading.Lock()  # matplotlib's settings are global


def hot_over_time(doc: Backtest) -> str:
    """The number of hot nodes of each contender over the time that was walked; of long walks, means of equal parts."""
    from matplotlib.ticker import MaxNLocator

    replay = doc.replay

    def draw(axes: Axes) -> None:
        top = 1.0
        for one, colour in reversed(list(zip(doc.contenders, _LINES, strict=False))):
            means, hours = _means(one.hot, replay)
            top = max(top, float(means.max(initial=0.0)))
            axes.plot(hours, means, color=colour, linewidth=1.5)
        span = (replay.end - replay.begin) / 3600
        axes.set_xlim(0, span)
        axes.set_ylim(0, top * 1.08)
        _times(axes, replay, span)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))

    return _drawn(draw, "Hot nodes of each contender over time")


def trade_off(doc: Tuning) -> str:
    """Every trial over the whole time by its restarts and its hot minutes, the front joined by a line."""
    whole = [trial for trial in doc.trials if trial.share >= 1]
    front = sorted(_point(trial) for trial in whole if trial.front)
    alone = doc.nobody["hot_minutes"].mean
    right = max(1.0, *(_point(trial)[0] for trial in whole)) * 1.06
    top = max(1.0, alone, *(_point(trial)[1] for trial in whole)) * 1.1

    def draw(axes: Axes) -> None:
        axes.set_xlim(-right * 0.02, right)
        axes.set_ylim(0, top)
        axes.set_xlabel("restarts", color=_INK, fontsize=10)
        axes.set_ylabel("hot node-minutes", color=_INK, fontsize=10)
        axes.plot([0, right], [alone, alone], color=_FAINT, linewidth=1.1, dashes=(4, 3))
        axes.text(right, alone, "nobody ", color=_INK, fontsize=10, ha="right", va="bottom")
        axes.plot(*zip(*front, strict=True), color=_FRONT, linewidth=1.3)
        for trial in sorted(whole, key=lambda one: (one.id == doc.best, one.front)):
            colour = _BEST if trial.id == doc.best else _FRONT if trial.front else _SHORT
            _mark(axes, trial, 13 if trial.id == doc.best else 9, colour, (right * 1.02, top))
        _labels(axes, whole, (right, top))

    tips = {trial.id: f"{trial.id}: {words.settings(trial) or 'as it is'}" for trial in whole}
    return _drawn(draw, "Hot minutes against restarts of every trial", tips)


def _mark(axes: Axes, trial: Trial, size: float, colour: str, spans: tuple[float, float]) -> None:
    """A square of so many pixels; `spans` are those of the two axes, in their units."""
    from matplotlib.patches import Rectangle

    (x, y), wide, high = _point(trial), size * spans[0] / (_WIDTH * _INNER[2]), size * spans[1] / (_HEIGHT * _INNER[3])
    axes.add_patch(Rectangle((x - wide / 2, y - high / 2), wide, high, facecolor=colour, linewidth=0, gid=trial.id))


def _labels(axes: Axes, trials: Sequence[Trial], spans: tuple[float, float]) -> None:
    """The names of those of the front, once where several came to the same."""
    named: dict[tuple[float, float], list[str]] = {}
    for trial in trials:
        if trial.front:
            named.setdefault(_point(trial), []).append(trial.id)
    for (x, y), ids in named.items():
        text = ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
        axes.text(x, y + 0.03 * spans[1], text, color=_INK, fontsize=10, ha="center", va="bottom")


def _point(trial: Trial) -> tuple[float, float]:
    return trial.figures["restarts"].mean, trial.figures["hot_minutes"].mean


def _means(counts: Sequence[float], replay: Replay) -> tuple[Floats, Floats]:
    """[M] means of at most as many equal parts as can be told apart, and [M] the hours in whose middle they are."""
    size = max(1, math.ceil(len(counts) / _POINTS))
    parts = [counts[i : i + size] for i in range(0, len(counts), size)]
    means = np.array([sum(part) / len(part) for part in parts])
    middles = np.array([i * size + len(part) / 2 for i, part in enumerate(parts)])
    return means, middles * replay.step_seconds / 3600


def _times(axes: Axes, replay: Replay, span: float) -> None:
    every = next(hours for hours in (1, 2, 3, 6, 12, 24, 48, 168) if span / hours <= 12 or hours == 168)
    first = -(-replay.begin // (every * 3600)) * every * 3600
    ticks = list(range(first, replay.end + 1, every * 3600))
    labels = [datetime.fromtimestamp(tick, UTC).strftime("%H:%M" if tick % 86_400 else "%d %b") for tick in ticks]
    axes.set_xticks([(tick - replay.begin) / 3600 for tick in ticks], labels)


def _drawn(draw: Callable[[Axes], None], label: str, tips: Mapping[str, str] | None = None) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH / 72, _HEIGHT / 72), dpi=72)
    figure.patch.set_visible(False)
    axes = figure.add_axes(_INNER)
    axes.patch.set_visible(False)
    draw(axes)
    quiet(axes, labelsize=10, pad=5)
    out = io.StringIO()
    with _LOCK, mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "replay", "path.simplify": True}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return svg.tidy(out.getvalue(), CLASSES, label, tips)
