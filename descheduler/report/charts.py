"""The charts of the page, drawn by matplotlib and tidied into SVG that follows the page's colours."""

from __future__ import annotations

import io
import logging
import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from descheduler.model import format as fmt
from descheduler.model.plan import FindingRow, NodeRow, NodeUse
from descheduler.model.printable import printable
from descheduler.report import svg, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CELLS = 360
MOST_GPU_NODES = 64
_LOCK = threading.Lock()  # matplotlib's settings are global

# Colours that are never seen: each stands for a class of the style sheet.
_BINS = 11
_INK, _FAINT, _BEFORE, _AFTER, _HOT = "#000001", "#000002", "#000003", "#000004", "#000005"
_USED, _SCATTERED, _WHOLE, _UNKNOWN, _PAPER = "#000006", "#000007", "#000008", "#000009", "#00000a"
_HEAT = tuple(f"#0001{i:02x}" for i in range(_BINS))
CLASSES = {
    _INK: "ink",
    _FAINT: "faint",
    _BEFORE: "before",
    _AFTER: "after",
    _HOT: "hot",
    _USED: "used",
    _SCATTERED: "scattered",
    _WHOLE: "whole",
    _UNKNOWN: "unknown",
    _PAPER: "paper",
    **{colour: f"h{i}" for i, colour in enumerate(_HEAT)},
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One picture before the plan and one after it; `note` says what a cell stands for when not one node."""

    before: str
    after: str
    note: str = ""


def curve(finding: FindingRow, created: float, horizon_seconds: int) -> str:
    """The forecast of a finding before and after the plan, its threshold, and the horizon that counts."""
    hours = [(i + 1) * finding.step_seconds / 3600 for i in range(len(finding.curve))]
    top = max(finding.threshold, *finding.curve, *(finding.curve_after or (0.0,))) * 1.12
    figure, axes = _blank(560, 176, margins=(34, 8, 552, 150))
    axes.set_xlim(0, hours[-1])
    axes.set_ylim(0, top)
    axes.set_axis_on()
    above = [max(v, finding.threshold) for v in finding.curve]
    ends = [hours[-1], hours[0]], [finding.threshold] * 2
    axes.fill([*hours, *ends[0]], [*above, *ends[1]], color=_HOT, alpha=0.18, linewidth=0)
    horizon = min(horizon_seconds / 3600, hours[-1])
    axes.plot([horizon, horizon], [0, top], color=_FAINT, linewidth=0.8, dashes=(2, 2))
    axes.text(horizon, top * 0.985, "  horizon", color=_INK, fontsize=9, va="top", alpha=0.6)
    axes.plot([0, hours[-1]], [finding.threshold] * 2, color=_HOT, linewidth=1.1, dashes=(4, 3))
    axes.plot(hours, finding.curve, color=_BEFORE, linewidth=1.8)
    if finding.curve_after and finding.curve_after != finding.curve:
        axes.plot(hours, finding.curve_after, color=_AFTER, linewidth=1.8)
    _scales(axes, created, hours[-1], top, finding)
    return _svg(figure, f"Forecast for {words.subject(finding.subject)}")


def _scales(axes: Axes, created: float, hours: float, top: float, finding: FindingRow) -> None:
    step = 1 if hours <= 8 else math.ceil(hours / 8)
    ticks = list(range(0, int(hours + 0.01) + 1, step))
    axes.set_xticks(ticks, ["now" if t == 0 else fmt.clock(created + 3600 * t) for t in ticks])
    unit = (
        next((u for u in (0.05, 0.1, 0.25, 0.5, 1.0) if top / u <= 5), top / 4)
        if words.is_fraction(finding)
        else top / 4
    )
    levels = [i * unit for i in range(int(top / unit) + 1)]
    axes.set_yticks(levels, ["", *(words.level(finding, level) for level in levels[1:])])
    axes.tick_params(length=0, labelsize=9, labelcolor=_INK, pad=4)
    axes.grid(axis="y", color=_FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)


def heat(nodes: Sequence[NodeRow], resource: str) -> Pair:
    """Every node as a cell in the colour of its forecast peak, by pool; of many nodes, the hottest of each few."""
    share = math.ceil(len(nodes) / MOST_CELLS) if len(nodes) > MOST_CELLS else 1
    pools = _pools(nodes)
    cells = [(pool, [rows[i : i + share] for i in range(0, len(rows), share)]) for pool, rows in pools]
    note = f"each cell stands for {share} nodes and has the colour of the hottest" if share > 1 else ""
    return Pair(_heat(cells, resource, after=False), _heat(cells, resource, after=True), note)


def _heat(pools: Sequence[tuple[str, list[list[NodeRow]]]], resource: str, *, after: bool) -> str:
    from matplotlib.patches import Rectangle

    total = sum(len(cells) for _, cells in pools)
    size, gap = (34, 4) if total <= 60 else (24, 3) if total <= 150 else (17, 2)
    across = (560 + gap) // (size + gap)
    height = sum(20 + math.ceil(len(cells) / across) * (size + gap) + 6 for _, cells in pools)
    figure, axes = _blank(560, height)
    tips: dict[str, str] = {}
    top = 0.0
    for pool, cells in pools:
        _write(axes, 0, top + 12, f"{pool}  ·  {fmt.plural(sum(map(len, cells)), 'node')}", fontsize=11)
        top += 20
        for i, rows in enumerate(cells):
            x, y = (i % across) * (size + gap), top + (i // across) * (size + gap)
            level = max(peak(row.after if after else row.before, resource) for row in rows)
            changed = after and any(peak(r.after, resource) != peak(r.before, resource) for r in rows)
            name = f"c{len(tips)}"
            edge = {"edgecolor": _INK, "linewidth": 1.6} if changed else {"linewidth": 0}
            axes.add_patch(Rectangle((x, y), size, size, facecolor=colour(level), gid=name, **edge))
            tips[name] = _tip(rows, resource, after=after)
        top += math.ceil(len(cells) / across) * (size + gap) + 6
    when = "after" if after else "before"
    return _svg(figure, f"Forecast peak of {resource} of every node {when} the plan", tips)


def _tip(rows: Sequence[NodeRow], resource: str, *, after: bool) -> str:
    if len(rows) > 1:
        hottest = max(peak(r.after if after else r.before, resource) for r in rows)
        return f"{rows[0].name} … {rows[-1].name}: {fmt.percent(hottest)}"
    row = rows[0]
    before, now = peak(row.before, resource), peak(row.after, resource)
    moved = f"{fmt.percent(before)} → {fmt.percent(now)}" if after and before != now else fmt.percent(before)
    return f"{row.name}: {resource} {moved}" + ("" if row.ready else ", not ready")


def gpus(nodes: Sequence[NodeRow]) -> Pair:
    """GPU nodes as strips of used and free devices; of many nodes, how many have how many free."""
    rows = [node for node in nodes if node.gpus > 0]
    if len(rows) > MOST_GPU_NODES:
        most = max(_histogram(rows, after=False) | _histogram(rows, after=True), default=0)
        tallest = max(*_histogram(rows, after=False).values(), *_histogram(rows, after=True).values())
        before, after = (_bars(rows, most, tallest, after=after) for after in (False, True))
        return Pair(before, after, "how many nodes have how many GPUs free")
    return Pair(_strips(rows, after=False), _strips(rows, after=True))


def _strips(rows: Sequence[NodeRow], *, after: bool) -> str:
    from matplotlib.patches import Rectangle

    widest = max(row.gpus for row in rows)
    size, gap, label = 17, 3, 92
    columns = max(1, 560 // (label + widest * (size + gap) + 16))
    lines = math.ceil(len(rows) / columns)
    figure, axes = _blank(560, lines * (size + 8))
    tips: dict[str, str] = {}
    for i, row in enumerate(rows):
        use = row.after if after else row.before
        used = min(row.gpus, math.ceil(use.gpus_used))
        left, y = (i // lines) * (560 / columns), (i % lines) * (size + 8)
        name = row.name if len(row.name) <= 15 else f"…{row.name[-14:]}"
        _write(axes, left, y + 12.5, name, fontsize=10.5)
        changed = after and row.after.gpus_used != row.before.gpus_used
        for device in range(row.gpus):
            face = _USED if device < used else _WHOLE if used == 0 else _SCATTERED
            edge = {"edgecolor": _INK, "linewidth": 1.2} if changed else {"linewidth": 0}
            at = (left + label + device * (size + gap), y)
            name = f"c{len(tips)}"
            axes.add_patch(Rectangle(at, size, size, facecolor=face, gid=name, **edge))
            tips[name] = f"{row.name}: {fmt.number(use.gpus_used)} of {row.gpus} GPUs used"
    return _svg(figure, f"GPUs used and free on every GPU node {'after' if after else 'before'} the plan", tips)


def _histogram(rows: Iterable[NodeRow], *, after: bool) -> dict[int, int]:
    """How many nodes have so many GPUs free."""
    out: dict[int, int] = {}
    for row in rows:
        free = row.gpus - math.ceil((row.after if after else row.before).gpus_used)
        out[max(0, free)] = out.get(max(0, free), 0) + 1
    return out


def _bars(rows: Sequence[NodeRow], most: int, tallest: int, *, after: bool) -> str:
    counts = _histogram(rows, after=after)
    largest = max(row.gpus for row in rows)
    figure, axes = _blank(560, 170, margins=(8, 16, 552, 146))
    axes.set_axis_on()
    axes.set_xlim(-0.6, most + 0.6)
    axes.set_ylim(0, tallest * 1.1)
    for free, count in sorted(counts.items()):
        face = _USED if free == 0 else _WHOLE if free >= largest else _SCATTERED
        axes.bar([free], [count], width=0.78, color=face)
        axes.text(free, count, f"{count}", ha="center", va="bottom", fontsize=10, color=_INK)
    axes.set_xticks(range(most + 1), [f"{i} free" if i == 0 else str(i) for i in range(most + 1)])
    axes.set_yticks([])
    axes.tick_params(length=0, labelsize=10, labelcolor=_INK)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)
    return _svg(figure, f"Free GPUs per node {'after' if after else 'before'} the plan")


def peak(use: NodeUse, resource: str) -> float:
    """Forecast peak as a fraction of allocatable; -1 when unknown."""
    return use.cpu_peak if resource == "cpu" else use.memory_peak


def colour(level: float) -> str:
    return _UNKNOWN if level < 0 else _HEAT[min(int(level * 10), _BINS - 1)]


def _pools(nodes: Sequence[NodeRow]) -> list[tuple[str, list[NodeRow]]]:
    """Nodes by pool, in the order of the plan."""
    out: dict[str, list[NodeRow]] = {}
    for node in nodes:
        out.setdefault(node.pool, []).append(node)
    return list(out.items())


def _blank(
    width: float, height: float, margins: tuple[float, float, float, float] | None = None
) -> tuple[Figure, Axes]:
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


def _write(axes: Axes, x: float, y: float, text: str, *, fontsize: float) -> None:
    """A text of others: without what XML cannot hold, and no formula."""
    axes.text(x, y, printable(text), color=_INK, fontsize=fontsize, parse_math=False)


def _svg(figure: Figure, label: str, tips: dict[str, str] | None = None) -> str:
    import matplotlib as mpl

    out = io.StringIO()
    with _LOCK, mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "plan", "path.simplify": False}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return svg.tidy(out.getvalue(), CLASSES, label, tips)
