"""Pictures of all nodes before and after a plan, drawn by matplotlib and tidied into SVG in the page's colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from descheduler.model import format as fmt
from descheduler.model.plan import NodeRow, NodeUse
from descheduler.report.drawing import BINS, FAINT, HEAT, INK, SCATTERED, UNKNOWN, USED, WHOLE, blank, drawn, write

MOST_CELLS = 360
MOST_GPU_NODES = 64


@dataclass(frozen=True, slots=True)
class Pair:
    """One picture before the plan and one after it; `note` says what a cell stands for when not one node."""

    before: str
    after: str
    note: str = ""


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
    figure, axes = blank(560, height)
    tips: dict[str, str] = {}
    top = 0.0
    for pool, cells in pools:
        write(axes, 0, top + 12, f"{pool}  ·  {fmt.plural(sum(map(len, cells)), 'node')}", fontsize=11)
        top += 20
        for i, rows in enumerate(cells):
            x, y = (i % across) * (size + gap), top + (i // across) * (size + gap)
            level = max(peak(row.after if after else row.before, resource) for row in rows)
            changed = after and any(peak(r.after, resource) != peak(r.before, resource) for r in rows)
            name = f"c{len(tips)}"
            edge = {"edgecolor": INK, "linewidth": 1.6} if changed else {"linewidth": 0}
            axes.add_patch(Rectangle((x, y), size, size, facecolor=colour(level), gid=name, **edge))
            tips[name] = _tip(rows, resource, after=after)
        top += math.ceil(len(cells) / across) * (size + gap) + 6
    when = "after" if after else "before"
    return drawn(figure, f"Forecast peak of {resource} of every node {when} the plan", tips)


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
    figure, axes = blank(560, lines * (size + 8))
    tips: dict[str, str] = {}
    for i, row in enumerate(rows):
        use = row.after if after else row.before
        used = min(row.gpus, math.ceil(use.gpus_used))
        left, y = (i // lines) * (560 / columns), (i % lines) * (size + 8)
        name = row.name if len(row.name) <= 15 else f"…{row.name[-14:]}"
        write(axes, left, y + 12.5, name, fontsize=10.5)
        changed = after and row.after.gpus_used != row.before.gpus_used
        for device in range(row.gpus):
            face = USED if device < used else WHOLE if used == 0 else SCATTERED
            edge = {"edgecolor": INK, "linewidth": 1.2} if changed else {"linewidth": 0}
            at = (left + label + device * (size + gap), y)
            name = f"c{len(tips)}"
            axes.add_patch(Rectangle(at, size, size, facecolor=face, gid=name, **edge))
            tips[name] = f"{row.name}: {fmt.number(use.gpus_used)} of {row.gpus} GPUs used"
    return drawn(figure, f"GPUs used and free on every GPU node {'after' if after else 'before'} the plan", tips)


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
    figure, axes = blank(560, 170, margins=(8, 16, 552, 146))
    axes.set_axis_on()
    axes.set_xlim(-0.6, most + 0.6)
    axes.set_ylim(0, tallest * 1.1)
    for free, count in sorted(counts.items()):
        face = USED if free == 0 else WHOLE if free >= largest else SCATTERED
        axes.bar([free], [count], width=0.78, color=face)
        axes.text(free, count, f"{count}", ha="center", va="bottom", fontsize=10, color=INK)
    axes.set_xticks(range(most + 1), [f"{i} free" if i == 0 else str(i) for i in range(most + 1)])
    axes.set_yticks([])
    axes.tick_params(length=0, labelsize=10, labelcolor=INK)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    return drawn(figure, f"Free GPUs per node {'after' if after else 'before'} the plan")


def peak(use: NodeUse, resource: str) -> float:
    """Forecast peak as a fraction of allocatable; -1 when unknown."""
    return use.cpu_peak if resource == "cpu" else use.memory_peak


def colour(level: float) -> str:
    return UNKNOWN if level < 0 else HEAT[min(int(level * 10), BINS - 1)]


def _pools(nodes: Sequence[NodeRow]) -> list[tuple[str, list[NodeRow]]]:
    """Nodes by pool, in the order of the plan."""
    out: dict[str, list[NodeRow]] = {}
    for node in nodes:
        out.setdefault(node.pool, []).append(node)
    return list(out.items())
