"""Racks, a queue of pending gangs, running gangs, as arrays and as the objects of a cluster; a plan for them measured
with nothing but the files; and the two rules that gangs.py compares with."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import _openb
import _product
import _wire
import numpy as np
from numpy.typing import NDArray

from descheduler.model.plan import PlanDocument
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.packing.make_room.demands import Admitted, Allowance, Demand, Request
from descheduler.packing.make_room.vacate import Option, Vacating
from descheduler.packing.state import ABSENT, Packing, Step, bits, replay

RACK = 16
SIZES = (2, 4, 8, 16)
GPUS = 8
VICTIMS = 16
"""The default of KAI's --max-consolidation-preemptees."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a rule admitted of the queue, and with which moves."""

    admitted: tuple[int, ...]
    steps: tuple[Step, ...]


def racks(models: Sequence[str]) -> NDArray[np.int32]:
    """[N] nodes of one model, in the order of the list, 16 to a rack (the last one of a model may be smaller)."""
    rack = np.full(len(models), ABSENT, np.int32)
    count = 0
    for model in sorted(set(models)):
        mine = np.flatnonzero([m == model for m in models])
        rack[mine] = count + np.arange(len(mine)) // RACK
        count = int(rack[mine].max()) + 1
    return rack


def queue(
    tasks: Sequence[Mapping[str, str]], gangs: int, rack: NDArray[np.int32], by_gpus: bool, rng: np.random.Generator
) -> list[Request]:
    """Pending gangs in order: a size, and the demand of a drawn 8-GPU task for every member.

    All members in one rack when a rack has as many nodes as the gang has members; a larger gang may stand anywhere.
    """
    large = [t for t in tasks if int(t["num_gpu"]) == GPUS]
    most = int(np.bincount(rack).max())
    made = []
    for _ in range(gangs):
        size = int(rng.choice(SIZES))
        task = large[int(rng.integers(len(large)))]
        demand = Demand((int(task["cpu_milli"]), int(task["memory_mib"])), GPUS)
        made.append(Request(demand, size, float(size if by_gpus else 1), rack if size <= most else None))
    return made


def running(packing: Packing, share: float, rng: np.random.Generator) -> NDArray[np.int32]:
    """[P] a share of the placed 8-GPU pods as gangs of 2 to 16 of one shape."""
    group = np.full(len(packing.shape), ABSENT, np.int32)
    count = 0
    for shape in np.flatnonzero(packing.shapes.count == GPUS).tolist():
        pods = rng.permutation(np.flatnonzero((packing.shape == shape) & (packing.node != ABSENT)))
        pods = pods[: int(share * len(pods))]
        while len(pods) > 1:
            size = min(int(rng.choice(SIZES)), len(pods))
            group[pods[:size]], pods = count, pods[size:]
            count += 1
    return group


def first(cluster: _openb.Cluster, size: int) -> _openb.Cluster:
    """The first `size` nodes with 8 devices, and the pods on them."""
    packing = cluster.packing
    nodes = np.flatnonzero((packing.devices != ABSENT).sum(axis=1) == GPUS)[:size]
    at = np.full(len(packing.free), ABSENT, np.int32)
    at[nodes] = np.arange(len(nodes))
    pods = np.flatnonzero((packing.node != ABSENT) & (at[packing.node] != ABSENT))
    shapes = packing.shapes
    made = Packing(
        shapes=type(shapes)(shapes.amounts, shapes.count, shapes.milli, shapes.allowed[:, nodes]),
        free=packing.free[nodes],
        devices=packing.devices[nodes],
        shape=packing.shape[pods],
        node=at[packing.node[pods]],
        held=packing.held[pods],
        movable=packing.movable[pods],
        cost=packing.cost[pods],
    )
    names = tuple(cluster.nodes[n] for n in nodes), tuple(cluster.pods[p] for p in pods)
    return _openb.Cluster(made, *names, tuple(cluster.models[n] for n in nodes))


def consolidation(packing: Packing, requests: Sequence[Request], allowance: Allowance, victims: int) -> Tried:
    """KAI's rule (kai-scheduler pkg/scheduler/actions/consolidation), with `victims` 0 its plain allocation.

    Gang after gang in the order of the queue: in each rack the nodes with fewest pods in the way, racks with fewest
    first; at most so many victims, all of which must find a new place, on the fullest nodes with room. What is
    admitted stays; moved pods do not move again.
    """
    state = packing.copy()
    movable = packing.movable.copy()
    admitted: list[int] = []
    steps: list[Step] = []
    for at, request in enumerate(requests):
        left = min(victims, allowance.moves - len(steps))
        for nodes, items in _scenarios(state, movable, request, allowance, left):
            tried = _relocate(state, nodes, items)
            if tried is None:
                continue
            state, moved = tried
            for node in nodes:
                state.free[node] -= np.asarray(request.demand.amounts)
                whole = np.flatnonzero(state.devices[node] == 1000)[: request.demand.gpus]
                state.devices[node, whole] = 0
            movable[[s.item for s in moved]] = False
            steps += moved
            admitted.append(at)
            break
    return Tried(tuple(admitted), tuple(steps))


def _scenarios(
    state: Packing, movable: NDArray[np.bool_], request: Request, allowance: Allowance, most: int
) -> list[tuple[list[int], list[int]]]:
    """(nodes, victims) of every rack that a gang could have, fewest victims first."""
    vacating = Vacating(state, Allowance(most, allowance.group), _whole_groups(movable, allowance))
    domain = request.domain if request.domain is not None else np.zeros(len(state.free), np.int32)
    gpus = (state.devices != ABSENT).sum(axis=1) >= request.demand.gpus
    found: list[tuple[int, int, list[int], list[int]]] = []
    for rack in np.unique(domain[domain != ABSENT]).tolist():
        options: list[Option] = []
        for node in np.flatnonzero((domain == rack) & gpus).tolist():
            made = vacating.option(node, 0, request.demand, 1)
            if made is not None and len(made.items) <= most:
                options.append(made)
        options = sorted(options, key=lambda o: (len(o.items), o.node))[: request.members]
        items = sorted({i for o in options for i in o.items})
        if len(options) == request.members and len(items) <= most:
            found.append((len(items), rack, [o.node for o in options], items))
    return [(nodes, items) for _, _, nodes, items in sorted(found, key=lambda f: f[:2])]


def _whole_groups(movable: NDArray[np.bool_], allowance: Allowance) -> NDArray[np.bool_]:
    if allowance.group is None:
        return movable
    stuck = np.unique(allowance.group[~movable & (allowance.group != ABSENT)])
    return movable & ~np.isin(allowance.group, stuck)


def _relocate(state: Packing, nodes: Sequence[int], items: Sequence[int]) -> tuple[Packing, list[Step]] | None:
    """Every victim on the fullest node with room, largest first; None when one has none."""
    made = state.copy()
    steps: list[Step] = []
    size = state.shapes.count.astype(np.int64) * state.shapes.milli
    for item in sorted(items, key=lambda i: (-int(size[state.shape[i]]), i)):
        shape, source = int(state.shape[item]), int(state.node[item])
        room = made.fits(shape)
        room[[*nodes, source]] = False
        if not room.any():
            return None
        idle = np.where(room, np.maximum(made.devices, 0).sum(axis=1), np.iinfo(np.int64).max)
        node = int(np.argmin(idle))
        step = Step(item, source, node, made.choose(shape, node))
        made.move(step)
        steps.append(step)
    return made, steps


Row = dict[str, str]
LABEL, WITHIN, RACK_LABEL = (
    "scheduling.x-k8s.io/pod-group",
    "kueue.x-k8s.io/podset-required-topology",
    "trace.example/rack",
)


@dataclass(frozen=True, eq=False, slots=True)
class Trace:
    """The cluster and its gangs by names: rows of `nodes` and of placed `pods`, `rack` of each node, the running gang
    (`group`) of each pod, and the `pending` gangs: members, (cpu, memory) of each, whether all must be in one rack."""

    nodes: list[Row]
    pods: list[Row]
    rack: dict[str, str]
    group: dict[str, str]
    pending: dict[str, tuple[int, tuple[int, int], bool]]

    def snapshot(self) -> ClusterSnapshot:
        """As it would be recorded: gangs are those of scheduler-plugins, racks a node label."""
        nodes = [_openb.wire_node(n, **{RACK_LABEL: self.rack[n["sn"]]}) for n in self.nodes]
        pods = [_openb.wire_pod(p, labels=_label(self.group.get(p["name"]))) for p in self.pods]
        sizes = Counter(self.group.values())
        for gang, (members, (cpu, memory), together) in self.pending.items():
            sizes[gang] = members
            notes = {WITHIN: RACK_LABEL} if together else {}
            pods += [
                _wire.pod(f"{gang}-{m:02d}", cpu, memory, gpus=GPUS, labels=_label(gang), annotations=notes)
                for m in range(members)
            ]
        groups = [{"metadata": _wire.meta(g, "trace"), "spec": {"minMember": n}} for g, n in sorted(sizes.items())]
        return _wire.snapshot(nodes, pods, {"scheduling.x-k8s.io/PodGroup": groups})

    def measured(self, plan: PlanDocument) -> tuple[set[str], int, bool]:
        """Which pending gangs have room after the plan's moves, how many gangs were torn, and whether all found room.

        Those that the plan names nodes for take them; then the others, in the order of the queue, what is left.
        """
        state = _openb.Replay.of(self.nodes, self.pods)
        for wave in _product.waves(plan):
            state.wave([(one.pod, one.source, one.destination) for one in wave])
        moved = Counter(self.group[name] for name, *_ in state.moves if name in self.group)
        sizes = Counter(self.group.values())
        torn = sum(count != sizes[gang] for gang, count in moved.items())
        seats: dict[str, list[str]] = {}
        for action in plan.actions:
            for seat in action.room_for:
                seats.setdefault(seat.pod.rpartition("-")[0], []).append(seat.node)
        admitted: set[str] = set()
        for gang in sorted(self.pending, key=lambda name: (name not in seats, name)):
            members, _, together = self.pending[gang]
            nodes = seats.get(gang) or self._nodes(state, gang)
            if gang in seats:
                torn += len(nodes) != members or (together and len({self.rack[n] for n in nodes}) > 1)
            if nodes and all(self._take(state, gang, node) for node in nodes):
                admitted.add(gang)
        return admitted, torn, not state.fault and admitted >= set(seats)

    def _nodes(self, state: _openb.Replay, gang: str) -> list[str]:
        """Nodes on which all members fit, in the first rack that has them; empty: nowhere."""
        members, _, together = self.pending[gang]
        able = [name for name in state.free if self._fits(state, gang, name)]
        for rack in sorted({self.rack[n] for n in able}, key=int) if together else [""]:
            found = [n for n in able if not together or self.rack[n] == rack]
            if len(found) >= members:
                return found[:members]
        return []

    def _fits(self, state: _openb.Replay, gang: str, node: str) -> bool:
        cpu, memory = self.pending[gang][1]
        free = state.free[node]
        return free[0] >= cpu and free[1] >= memory and free[2:].count(_wire.WHOLE) >= GPUS

    def _take(self, state: _openb.Replay, gang: str, node: str) -> bool:
        fits, free = self._fits(state, gang, node), state.free[node]
        free[0] -= self.pending[gang][1][0]
        free[1] -= self.pending[gang][1][1]
        for at in [at for at, left in enumerate(free[2:]) if left == _wire.WHOLE][:GPUS]:
            free[2 + at] = 0
        return fits


def _label(gang: str | None) -> dict[str, str]:
    return {LABEL: gang} if gang else {}


def trace(
    cluster: _openb.Cluster, servers: Sequence[Row], group: NDArray[np.int32], requests: Sequence[Request]
) -> Trace:
    """The arrays by names; `servers` are the rows of the node list."""
    packing, known = cluster.packing, {s["sn"]: s for s in servers}
    rack = racks(cluster.models)
    pods = []
    for i in np.flatnonzero(packing.node != ABSENT).tolist():
        shape = int(packing.shape[i])
        cpu, memory = packing.shapes.amounts[shape].tolist()
        pods.append(
            {
                "name": cluster.pods[i],
                "node": cluster.nodes[packing.node[i]],
                "cpu_milli": str(cpu),
                "memory_mib": str(memory),
                "num_gpu": str(packing.shapes.count[shape]),
                "gpu_milli": str(packing.shapes.milli[shape]),
                "gpu_indices": "-".join(map(str, bits(int(packing.held[i])).tolist())),
            }
        )
    return Trace(
        nodes=[known[name] for name in cluster.nodes],
        pods=pods,
        rack=dict(zip(cluster.nodes, map(str, rack.tolist()), strict=True)),
        group={cluster.pods[i]: f"running-{group[i]:03d}" for i in np.flatnonzero(group != ABSENT).tolist()},
        pending={
            f"gang-{at:03d}": (r.members, (r.demand.amounts[0], r.demand.amounts[1]), r.domain is not None)
            for at, r in enumerate(requests)
        },
    )


def torn(found: Admitted, requests: Sequence[Request], group: NDArray[np.int32] | None) -> int:
    """Gangs moved in part, or seated in part or outside one rack."""
    count = 0
    for at, seats in zip(found.admitted, found.places, strict=True):
        domain = requests[at].domain
        spread = domain is not None and len({int(domain[n]) for n in seats}) > 1
        count += len(seats) != requests[at].members or spread
    if group is not None:
        moved = np.zeros(len(group), np.bool_)
        moved[[s.item for s in found.steps]] = True
        for g in range(int(group.max(initial=ABSENT)) + 1):
            count += len(set(moved[group == g].tolist())) > 1
    return count


def executable(packing: Packing, found: Admitted, requests: Sequence[Request]) -> bool:
    """Whether the moves find room in their order, and then all members theirs."""
    try:
        state = replay(packing, found.steps)
    except ValueError:
        return False
    for at, seats, held in zip(found.admitted, found.places, found.held, strict=True):
        for node, devices in zip(seats, held, strict=True):
            state.free[node] -= np.asarray(requests[at].demand.amounts)
            state.devices[node, bits(devices)] -= requests[at].demand.milli
            if (state.free[node] < 0).any() or (state.devices[node, bits(devices)] < 0).any():
                return False
    return True


def write(path: Path, cluster: _openb.Cluster, found: Admitted) -> None:
    """The moves in order, then the members of the admitted gangs, which come from nowhere."""
    _openb.write_moves(path, _openb.moves_of(cluster, found.steps))
    with path.open("a", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        for at, seats, held in zip(found.admitted, found.places, found.held, strict=True):
            for member, (node, devices) in enumerate(zip(seats, held, strict=True)):
                name = f"gang-{at:03d}-{member:02d}"
                out.writerow((name, "", cluster.nodes[node], "-".join(str(d) for d in bits(devices))))
