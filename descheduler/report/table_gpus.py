"""The GPU map in a terminal: capacity by pool and model, and a strip of blocks for each node that changes."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from descheduler.model import format as fmt
from descheduler.model.plan import PlanDocument
from descheduler.model.plan_gpus import GpuMap
from descheduler.report import gpus, words
from descheduler.report.cells import table

MOST = 24  # nodes of the short form


def render(plan: PlanDocument, found: GpuMap, *, wide: bool) -> RenderableType:
    """The nodes that change; with `wide` all that the plan lists, and what is to be known of them."""
    view = gpus.view(plan, len(found.nodes))
    strips = [strip for strip in view.strips if wide or strip.changed] if view is not None else []
    shown = strips if wide else strips[:MOST]
    parts: list[RenderableType] = [_capacity(found)]
    room = gpus.gang_room(found)
    if room:
        parts.append(Text(words.sentence(room), style="dim"))
    if shown:
        parts += [Text(), _strips(shown, wide=wide)]
    left = len(strips) - len(shown)
    if left:
        parts.append(Text(f"{fmt.plural(left, 'further node')} changes: -o wide", style="dim"))
    steering = gpus.steering(found)
    if steering and (shown or wide):
        parts.append(Text(words.sentence(steering), style="dim"))
    return Group(*parts)


def _capacity(found: GpuMap) -> Table:
    """One row for each pool and model."""
    headings, rows = gpus.figures(found)
    made = table("pool", "model", "nodes", "GPUs", *headings, right=("nodes", "GPUs", *headings))
    for row, figures in rows:
        cells = [_change(before, after) for _, before, after in figures]
        made.add_row(row.pool, row.model or "–", fmt.number(row.nodes), fmt.number(row.devices), *cells)
    return made


def _change(before: float, after: float) -> Text:
    if before == after:
        return Text(fmt.number(before), style="dim")
    return Text(f"{fmt.number(before)} → {fmt.number(after)}", style="green" if after > before else "yellow")


def _strips(strips: list[gpus.Strip], *, wide: bool) -> Table:
    made = table("node", "devices", "free", "moves", *(("source", "note") if wide else ()), right=("free",))
    made.columns[1].no_wrap = True
    for strip in strips:
        row = strip.row
        now = gpus.blocks(strip.before)
        free = fmt.number(row.free_before)
        if strip.changed:
            now, free = f"{now} → {gpus.blocks(strip.after)}", f"{free} → {fmt.number(row.free_after)}"
        cells = [row.name, now, free, "\n".join(strip.moves)]
        made.add_row(*cells, *((row.source, Text(strip.note, style="dim")) if wide else ()))
    return made
