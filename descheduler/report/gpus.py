"""The GPU map as the table and the page show it: a row of cells for each node, before and after the plan.

A cell is one device. Whole devices whose number nobody told are drawn on free cells and said to be only counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from descheduler.model import format as fmt
from descheduler.model.plan import PlanDocument
from descheduler.model.plan_gpus import GpuCapacityRow, GpuHold, GpuMap, GpuNodeRow

LETTERS = "ABCDEFGH"
"""Workloads that have a colour and a letter of their own; the others share one."""
OTHER, FREE, BROKEN = "•", "·", "×"
_WHOLE = 1000
Figure = tuple[str, float, float]
"""A heading, and the number before and after."""
_SIGN = {"free": "░", "part": "▒", "used": "█", "broken": "×"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One device: its sign, classes of the style sheet, and a sentence."""

    text: str
    classes: str
    title: str
    state: str  # free | part | used | broken


@dataclass(frozen=True, slots=True)
class Strip:
    """One node. `moves` says in words what leaves and comes; `note` what is to be known of its devices."""

    row: GpuNodeRow
    before: tuple[Cell, ...]
    after: tuple[Cell, ...]
    moves: tuple[str, ...]
    note: str

    @property
    def changed(self) -> bool:
        return self.row.after is not None


@dataclass(frozen=True, slots=True)
class Letter:
    """One entry of the legend."""

    letter: str
    css: str
    workload: str
    gpus: float


@dataclass(frozen=True, slots=True)
class View:
    """All of the map; `strips` with those that change first."""

    map: GpuMap
    strips: tuple[Strip, ...]
    letters: tuple[Letter, ...]
    left_out: int


def view(plan: PlanDocument, most: int) -> View | None:
    """At most so many nodes of the plan's map, those that change first."""
    found = plan.gpus
    if found is None:
        return None
    rows = sorted(found.nodes, key=lambda row: row.after is None)
    actions = {f"{seat.namespace}/{seat.pod}": a.id for a in plan.actions for seat in a.room_for}
    actions.update({f"{move.namespace}/{move.pod}": a.id for a in plan.actions for move in a.pods})
    letters = _letters(rows, actions)
    css = {one.workload: (one.letter, one.css) for one in letters}
    strips = tuple(_strip(row, css, actions) for row in rows[:most])
    return View(found, strips, letters, found.left_out + len(rows) - len(strips))


def _letters(rows: Iterable[GpuNodeRow], actions: dict[str, str]) -> tuple[Letter, ...]:
    """Workloads of pods that move first, then those that hold most."""
    held: dict[str, float] = {}
    moving: set[str] = set()
    for row in rows:
        for hold in row.before:
            held[hold.workload] = held.get(hold.workload, 0.0) + hold.count * hold.milli / _WHOLE
        for hold in (*row.before, *(row.after or ())) if row.after is not None else ():
            held.setdefault(hold.workload, 0.0)  # of a pending pod that room is made for
            if hold.pod in actions:
                moving.add(hold.workload)
    order = sorted(held, key=lambda w: (w not in moving, -held[w], w))
    return tuple(Letter(LETTERS[i], f"w{i}", w, held[w]) for i, w in enumerate(order[: len(LETTERS)]))


def _strip(row: GpuNodeRow, css: dict[str, tuple[str, str]], actions: dict[str, str]) -> Strip:
    after = row.before if row.after is None else row.after
    stay = {hold.pod for hold in row.before} & {hold.pod for hold in after}
    goes = {hold.pod: f"leaves{_by(hold.pod, actions)}" for hold in row.before if hold.pod not in stay}
    comes = {hold.pod: f"comes{_by(hold.pod, actions)}" for hold in after if hold.pod not in stay}
    moves = tuple(
        f"{sign}{hold.pod}{_by(hold.pod, actions)}"
        for sign, holds, marked in (("−", row.before, goes), ("+", after, comes))
        for hold in holds
        if hold.pod in marked
    )
    return Strip(row, _cells(row, row.before, css, goes), _cells(row, after, css, comes), moves, note(row))


def _by(pod: str, actions: dict[str, str]) -> str:
    return f" ({actions[pod]})" if pod in actions else ""


def note(row: GpuNodeRow) -> str:
    """What must be known of a node's devices before anything is concluded from the picture."""
    if row.problem:
        return f"who holds what is not known: {row.problem}"
    if row.units > 1:
        return f"each GPU is {row.units} units of {row.resource}, and nobody tells which a pod is on"
    if not row.steerable and row.devices > 1:
        return "the kubelet chooses the devices"
    return ""


def _cells(
    row: GpuNodeRow, holds: Sequence[GpuHold], css: dict[str, tuple[str, str]], marked: dict[str, str]
) -> tuple[Cell, ...]:
    indices = row.indices or tuple(range(row.devices))
    on: dict[int, list[GpuHold]] = {index: [] for index in indices}
    for hold in holds:
        for device in hold.devices:
            on.setdefault(device, []).append(hold)
    free = [index for index in indices if not on[index] and index not in row.unhealthy]
    counted: dict[int, list[GpuHold]] = {}
    for hold in sorted(holds, key=lambda h: h.pod in marked):  # those that move last, where they catch the eye
        for _ in range(0 if hold.devices else hold.count):
            begun = next((i for i, there in counted.items() if _room(there) >= hold.milli), None)
            if begun is not None:
                counted[begun].append(hold)
            elif free:
                counted[free.pop(0)] = [hold]
    return tuple(
        _cell(row, index, counted.get(index, on[index]), css, marked, guessed=index in counted) for index in indices
    )


def _room(holds: Iterable[GpuHold]) -> int:
    return _WHOLE - sum(hold.milli for hold in holds)


def _cell(
    row: GpuNodeRow,
    index: int,
    holds: Sequence[GpuHold],
    css: dict[str, tuple[str, str]],
    marked: dict[str, str],
    *,
    guessed: bool,
) -> Cell:
    name = f"{row.name} GPU {index}"
    if not holds:
        broken = index in row.unhealthy
        return (
            Cell(BROKEN, "broken", f"{name}: unhealthy", "broken")
            if broken
            else Cell(FREE, "", f"{name}: free", "free")
        )
    used = _WHOLE if len(holds) >= row.units > 1 else min(_WHOLE, sum(hold.milli for hold in holds))
    letter, colour = css.get(max(holds, key=lambda h: h.milli).workload, (OTHER, "wx"))
    classes = [colour]
    if used < _WHOLE:
        classes.append(f"p{max(1, min(9, round(used / 100)))}")
    if guessed:
        classes.append("guess")
    for hold in holds:
        if hold.pod in marked:
            classes.append(marked[hold.pod].split()[0])
            break
    text = "; ".join(_hold_text(hold, marked) for hold in holds)
    title = f"a GPU of {row.name}, which one is not known: {text}" if guessed else f"{name}: {text}"
    if index in row.unhealthy:
        classes.append("broken")
        title += "; unhealthy"
    return Cell(
        letter if used == _WHOLE else f"{used // 10}", " ".join(classes), title, "used" if used == _WHOLE else "part"
    )


def _hold_text(hold: GpuHold, marked: dict[str, str]) -> str:
    part = "" if hold.milli == _WHOLE else f"{hold.milli / _WHOLE:.0%} "
    source = f", says {hold.source}" if hold.source else ""
    if hold.milli < _WHOLE and not hold.source:
        source = ", assumed"
    moved = f", {marked[hold.pod]}" if hold.pod in marked else ""
    return f"{part}{hold.pod}{source}{moved}"


def blocks(cells: Iterable[Cell]) -> str:
    """A strip for terminals: `██▒░`."""
    return "".join(_SIGN[cell.state] for cell in cells)


def figures(found: GpuMap) -> tuple[tuple[str, ...], list[tuple[GpuCapacityRow, tuple[Figure, ...]]]]:
    """Headings, and each row with its figures; what is 0 everywhere is left out."""
    rows = [(row, capacity(row)) for row in found.capacity]
    names = [name for name, *_ in rows[0][1]] if rows else []
    kept = [i for i in range(len(names)) if any(made[i][1] or made[i][2] for _, made in rows)]
    return tuple(names[i] for i in kept), [(row, tuple(made[i] for i in kept)) for row, made in rows]


def capacity(row: GpuCapacityRow) -> tuple[Figure, ...]:
    """The figures of one row, each with its heading, before and after."""
    before, after = row.before, row.after
    slots = tuple((f"slots of {size}", float(n), float(after.slots.get(size, 0))) for size, n in before.slots.items())
    return (
        ("free whole", before.whole, after.whole),
        ("free in parts", before.partial, after.partial),
        ("of it stranded", before.stranded, after.stranded),
        *slots,
        ("nodes all free", float(before.open_nodes), float(after.open_nodes)),
    )


def steering(found: GpuMap) -> str:
    """What cannot be steered, in a sentence; empty when everything can."""
    if not found.unsteerable:
        return ""
    nodes = fmt.plural(found.unsteerable, "node")
    return f"on {nodes} the kubelet chooses among the devices: a plan can choose the node, and cannot steer the device"


def gang_room(found: GpuMap) -> str:
    """The largest gang of pods with all GPUs of a large node, by network level; empty where there is no such node."""
    if not found.gangs or found.gangs[0].gpus < 2:
        return ""
    each = (
        f"{row.level} {fmt.number(row.before)}" + (f" → {fmt.number(row.after)}" if row.after != row.before else "")
        for row in found.gangs
    )
    return f"largest gang of pods with {found.gangs[0].gpus} GPUs each in one domain: {', '.join(each)}"
