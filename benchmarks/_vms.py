"""Virtual machines and their hosts in the format of bytedance/DRL-based-VM-Rescheduling (and VMR2L): read, measured,
as the nodes and pods of a cluster, turned into flows, and plans replayed with nothing but the file.

The `free_*` of a file are not read: what is free follows from where the VMs stand.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import _wire
import msgspec
import numpy as np

from descheduler.model.arrays import Ints
from descheduler.model.errors import UsageError
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.packing.rearrange.flows import Flows
from descheduler.packing.rearrange.ordering import ItemMove, name
from descheduler.packing.state import ABSENT

SLOT = 16
"""Cores of the virtual machine that free cores should be good for (VMR2L: `get_fragment_rate`)."""
_MILLI = 1000


class Domain(msgspec.Struct):
    """One NUMA domain of a machine."""

    node: int
    total_cpu: float
    memory_huge_total_mb: float


class Host(msgspec.Struct):
    """One physical machine."""

    node_id: str
    numa: list[Domain]
    status: str = "ACTIVE"


class Share(msgspec.Struct):
    """What a virtual machine holds of one NUMA domain."""

    node: int
    cpu: float
    mem_mb: float


class Vm(msgspec.Struct):
    """One virtual machine and where it stands."""

    instance_id: str
    host_id: str
    numa: list[Share]
    allow_migration: bool = True


class _Cluster(msgspec.Struct):
    host_info: list[Host]
    vm_instance: list[Vm]
    cluster_name: str = ""


class _File(msgspec.Struct):
    cluster_list: list[_Cluster]


@dataclass(frozen=True, slots=True)
class Fleet:
    """All clusters of a file as one pool, as the published programme takes them; `cluster` of each host by id."""

    hosts: list[Host]
    vms: list[Vm]
    cluster: dict[str, int]


def read(path: Path) -> Fleet:
    """The fleet of a file.

    Raises:
        UsageError: no such file, not the format, or VMs and hosts that do not match.
    """
    try:
        data = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as e:
        raise UsageError(f"{path}: {e.strerror}") from e
    except msgspec.DecodeError as e:
        raise UsageError(f"{path}: not a file of hosts and virtual machines: {e}") from e
    hosts = [host for cluster in data.cluster_list for host in cluster.host_info]
    vms = [vm for cluster in data.cluster_list for vm in cluster.vm_instance]
    cluster = {host.node_id: i for i, part in enumerate(data.cluster_list) for host in part.host_info}
    problem = _mismatch(hosts, vms)
    if problem:
        raise UsageError(f"{path}: {problem}")
    return Fleet(hosts, vms, cluster)


def _mismatch(hosts: list[Host], vms: list[Vm]) -> str:
    for what, ids in (("host", [h.node_id for h in hosts]), ("VM", [v.instance_id for v in vms])):
        twice = [key for key, times in Counter(ids).items() if times > 1]
        if twice:
            return f"{what} {twice[0]} stands in it twice"
    domains = {(host.node_id, domain.node) for host in hosts for domain in host.numa}
    known = {host.node_id for host in hosts}
    for vm in vms:
        if vm.host_id not in known:
            return f"VM {vm.instance_id} stands on {vm.host_id}, which is no host of the file"
        if not vm.numa:
            return f"VM {vm.instance_id} names no NUMA domain"
        for share in vm.numa:
            if (vm.host_id, share.node) not in domains:
                return f"VM {vm.instance_id} stands on NUMA domain {share.node}, which {vm.host_id} does not have"
            if share.cpu < 0 or share.mem_mb < 0:
                return f"VM {vm.instance_id} holds less than nothing"
    return ""


@dataclass(frozen=True, eq=False, slots=True)
class Problem:
    """The flows, and what their numbers stand for: `bins` (host, NUMA domain); `kind` and `place` [N] of each VM
    (ABSENT: it does not move)."""

    fleet: Fleet
    flows: Flows
    bins: list[tuple[str, int]]
    kind: Ints
    place: Ints

    def rows(self, moves: Sequence[ItemMove]) -> list[tuple[str, str, str, str]]:
        """(vm, from_host, to_host, numa) of each move."""
        made = []
        for item, move in zip(name(moves, self.kind, self.place).tolist(), moves, strict=True):
            source, target = (self.flows.bins[place] for place in (move.source, move.target))
            domains = sorted(self.bins[b][1] for b in target.tolist() if b != ABSENT)
            numa = "-".join(map(str, domains))
            made.append((self.fleet.vms[item].instance_id, self.bins[source[0]][0], self.bins[target[0]][0], numa))
        return made


def problem(fleet: Fleet, moves: int, *, keep_clusters: bool = False) -> Problem:
    """Bins are the NUMA domains of active hosts; a class is all VMs with the same demand on one domain, or on both.

    A VM keeps its mode (one domain or both). VMs that may not migrate, and shares that are not alike, stay.
    """
    active = [host for host in fleet.hosts if host.status == "ACTIVE"]
    bins = [(host.node_id, domain.node) for host in active for domain in host.numa]
    index = {key: b for b, key in enumerate(bins)}
    room = np.array(
        [[round(d.total_cpu * _MILLI), int(d.memory_huge_total_mb)] for host in active for d in host.numa],
        dtype=np.int64,
    ).reshape(-1, 2)
    whole = room.copy()
    pairs = [[index[host.node_id, d.node] for d in host.numa] for host in active if len(host.numa) == 2]
    places = np.array([[b, ABSENT] for b in range(len(bins))] + pairs, dtype=np.int64).reshape(-1, 2)
    place_of = {tuple(sorted(p for p in row if p != ABSENT)): i for i, row in enumerate(places.tolist())}
    kinds: dict[tuple[int, int, int, int], int] = {}
    kind = np.full(len(fleet.vms), ABSENT, dtype=np.int64)
    place = kind.copy()
    for v, vm in enumerate(fleet.vms):
        at = [index.get((vm.host_id, share.node), ABSENT) for share in vm.numa]
        if ABSENT in at:
            continue
        needs = [(round(share.cpu * _MILLI), int(np.ceil(share.mem_mb))) for share in vm.numa]
        for b, need in zip(at, needs, strict=True):
            room[b] -= need
        spot = place_of.get(tuple(sorted(at)))
        if spot is not None and vm.allow_migration and len(set(needs)) == 1:
            key = (*needs[0], len(at), fleet.cluster[vm.host_id] if keep_clusters else 0)
            kind[v], place[v] = kinds.setdefault(key, len(kinds)), spot
    demand = np.array([key[:2] for key in kinds], dtype=np.int64).reshape(-1, 2)
    count = np.zeros((len(kinds), len(places)), dtype=np.int64)
    np.add.at(count, (kind[kind != ABSENT], place[kind != ABSENT]), 1)
    width = 1 + (places[:, 1] != ABSENT)
    allowed = np.array([key[2] for key in kinds], dtype=np.int64).reshape(-1, 1) == width
    if keep_clusters:
        where = np.array([fleet.cluster[bins[b][0]] for b in places[:, 0].tolist()], dtype=np.int64)
        allowed &= np.array([key[3] for key in kinds], dtype=np.int64).reshape(-1, 1) == where
    shape = np.array([SLOT * _MILLI, 0], dtype=np.int64)
    flows = Flows(room, places, demand, count, allowed, shape, whole[:, 0] // shape[0], moves)
    return Problem(fleet, flows, bins, kind, place)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`free` cores and `slots` of SLOT cores on active hosts, and what was wrong with the plan ("": nothing)."""

    free: float
    slots: int
    fault: str = ""

    @property
    def fragment_rate(self) -> float:
        """Share of the free cores that no VM of SLOT cores on one domain could use."""
        return self.rate(self.slots)

    def rate(self, slots: int) -> float:
        """The same, were there so many slots."""
        return (self.free - SLOT * slots) / self.free if self.free else 0.0


def replayed(fleet: Fleet, rows: Sequence[tuple[str, str, str, str]]) -> Outcome:
    """The fleet after the rows (vm, from_host, to_host, numa), done in turn, each VM on both sides meanwhile."""
    cpu = {(host.node_id, d.node): d.total_cpu for host in fleet.hosts for d in host.numa}
    mem = {(host.node_id, d.node): d.memory_huge_total_mb for host in fleet.hosts for d in host.numa}
    at = {vm.instance_id: [(vm.host_id, share.node) for share in vm.numa] for vm in fleet.vms}
    share = {vm.instance_id: vm.numa[0] for vm in fleet.vms}
    for vm in fleet.vms:
        for part in vm.numa:
            cpu[vm.host_id, part.node] -= part.cpu
            mem[vm.host_id, part.node] -= part.mem_mb
    movable = {vm.instance_id for vm in fleet.vms if vm.allow_migration}
    active = {host.node_id for host in fleet.hosts if host.status == "ACTIVE"}
    fault = ""
    for i, (vm, source, host, numa) in enumerate(rows):
        target = [(host, int(n)) for n in numa.split("-")]
        need = share[vm]
        if vm not in movable or host not in active or {key[0] for key in at[vm]} != {source}:
            fault = f"row {i}: {vm} may not go from {source} to {host}"
        elif len(target) != len(at[vm]) or set(target) & set(at[vm]):
            fault = f"row {i}: {vm} holds {len(at[vm])} domains, of which it keeps none"
        elif any(cpu.get(key, -1) < need.cpu or mem.get(key, -1) < need.mem_mb for key in target):
            fault = f"row {i}: no room for {vm} on {host}"
        if fault:
            break
        for keys, sign in ((at[vm], 1), (target, -1)):
            for key in keys:
                cpu[key] += sign * need.cpu
                mem[key] += sign * need.mem_mb
        at[vm] = target
    free = [max(0.0, amount) for (host, _), amount in cpu.items() if host in active]
    return Outcome(sum(free), int(sum(amount // SLOT for amount in free)), fault)


def snapshot(fleet: Fleet) -> ClusterSnapshot:
    """Hosts as nodes, whatever their NUMA domains, and virtual machines as pods; those that may not migrate are pods of
    nobody, which nothing moves."""
    nodes, pods = [], []
    for host in fleet.hosts:
        cpu = round(sum(domain.total_cpu for domain in host.numa) * _MILLI)
        made = _wire.node(host.node_id, cpu, int(sum(domain.memory_huge_total_mb for domain in host.numa)))
        made["spec"] = {} if host.status == "ACTIVE" else {"unschedulable": True}
        nodes.append(made)
    for vm in fleet.vms:
        cpu = round(sum(share.cpu for share in vm.numa) * _MILLI)
        pod = _wire.pod(vm.instance_id, cpu, int(np.ceil(sum(share.mem_mb for share in vm.numa))), on=vm.host_id)
        if not vm.allow_migration:
            del pod["metadata"]["ownerReferences"]
        pods.append(pod)
    return _wire.snapshot(nodes, pods)


def replayed_whole(fleet: Fleet, waves: Iterable[Iterable[tuple[str, str, str]]]) -> Outcome:
    """The fleet after waves of moves (vm, from_host, to_host), hosts taken whole: a slot may be on both domains.

    Each VM is on both hosts until its wave is over.
    """
    cpu = {host.node_id: sum(d.total_cpu for d in host.numa) for host in fleet.hosts}
    mem = {host.node_id: sum(d.memory_huge_total_mb for d in host.numa) for host in fleet.hosts}
    need = {vm.instance_id: (sum(s.cpu for s in vm.numa), sum(s.mem_mb for s in vm.numa)) for vm in fleet.vms}
    at = {vm.instance_id: vm.host_id for vm in fleet.vms}
    for vm, host in at.items():
        cpu[host] -= need[vm][0]
        mem[host] -= need[vm][1]
    movable = {vm.instance_id for vm in fleet.vms if vm.allow_migration}
    active = {host.node_id for host in fleet.hosts if host.status == "ACTIVE"}
    fault = ""
    for wave in waves:
        left: list[tuple[str, str]] = []
        for vm, source, target in wave:
            if vm not in movable or target not in active or at[vm] != source:
                fault = fault or f"{vm} may not go from {source} to {target}"
            cpu[target] -= need[vm][0]
            mem[target] -= need[vm][1]
            if cpu[target] < -1e-9 or mem[target] < -1e-9:
                fault = fault or f"no room for {vm} on {target}"
            left.append((vm, source))
            at[vm] = target
        for vm, source in left:
            cpu[source] += need[vm][0]
            mem[source] += need[vm][1]
    free = [max(0.0, amount) for host, amount in cpu.items() if host in active]
    return Outcome(sum(free), int(sum(amount // SLOT for amount in free)), fault)


def write_whole(path: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """The moves of a plan as CSV, in order."""
    with path.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("vm", "from_host", "to_host"))
        writer.writerows(rows)


def write(path: Path, rows: Sequence[tuple[str, str, str, str]]) -> None:
    """The plan as CSV, in order."""
    with path.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("vm", "from_host", "to_host", "numa"))
        writer.writerows(rows)
