"""From what sources report of a pod to the devices that it holds: the most trusted source that can be followed wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from descheduler.model.bounds import AMOUNT
from descheduler.model.devices import (
    MAX_DEVICES,
    UNREPORTED,
    WHOLE,
    Device,
    GpuShare,
    GpuSource,
    GpuStatement,
    NodeGpus,
)
from descheduler.model.pods import GpuRequest

_MOST = {GpuSource.KOORDINATOR: 1, GpuSource.GPU_INDEX: 1, GpuSource.HAMI: 2, GpuSource.VOLCANO: 2}
"""How many devices a pod may name for each that it asks for, in annotations, which whoever owns the pod may write. The
last two list what init containers were given too, which ask for as many at most."""


class NodeDevices:
    """The devices of one node by index and by UUID; MIG slices by their own UUID stand for their GPU."""

    def __init__(self, gpus: NodeGpus | None) -> None:
        devices = gpus.devices if gpus is not None else ()
        self._memory = gpus.memory if gpus is not None else 0
        self._index = {d.index: d for d in devices}
        self._uuid = {d.uuid: d for d in devices if d.uuid}
        for mig in gpus.slices if gpus is not None else ():
            if mig.uuid and mig.parent in self._uuid:
                self._uuid[mig.uuid] = self._uuid[mig.parent]

    def find(self, share: GpuShare) -> Device | None:
        """The device that is meant; None when it is not known which."""
        if share.index >= 0:
            counted = None if self._index else Device(share.index, share.uuid, memory=self._memory)
            return self._index.get(share.index, counted)
        return self._uuid.get(share.uuid)

    def lacks(self, share: GpuShare) -> bool:
        """Whether a device is named by an index that the node does not have, or no node."""
        return share.index >= MAX_DEVICES or (share.index >= 0 and bool(self._index) and share.index not in self._index)


@dataclass(frozen=True, slots=True)
class Located:
    """`shares` ascending by index; those of unknown devices have -1, and then there are no `indices`. `problem`: why
    nothing is known."""

    shares: tuple[GpuShare, ...] = ()
    indices: tuple[int, ...] = ()
    source: GpuSource | None = None
    problem: str = ""
    disputes: tuple[str, ...] = ()


def locate(statements: Sequence[GpuStatement], devices: NodeDevices, request: GpuRequest | None) -> Located:
    """What a pod holds by the statements of all sources (any order)."""
    if len(statements) > 1:
        statements = sorted(statements, key=lambda one: one.source.trust)
    chosen: Located | None = None
    vague: Located | None = None
    disputes: list[str] = []
    for one in statements:
        wrong = one.problem or _wrong(one, devices, request)
        if wrong:
            if chosen is None and vague is None:
                return Located(source=one.source, problem=f"{one.source}: {wrong}")
            disputes.append(f"{one.source}: {wrong}")
            continue
        shares = _joined(one.shares, devices, request)
        indices = tuple(s.index for s in shares)
        # Who asks for more whole devices than are named holds others besides, and it is not known which.
        short = request is not None and request.milli >= WHOLE and len(indices) < request.count
        if (indices and indices[0] < 0) or short:
            vague = vague or Located(shares, (), one.source)
        elif chosen is None:
            chosen = Located(shares, indices, one.source)
        elif chosen.indices != indices:
            disputes.append(f"{chosen.source} says GPU {_listed(chosen.indices)}, {one.source} says {_listed(indices)}")
    found = chosen or vague or Located()
    return replace(found, disputes=tuple(disputes)) if disputes else found


def _wrong(one: GpuStatement, devices: NodeDevices, request: GpuRequest | None) -> str:
    """Why a statement cannot be true; empty when it can."""
    absent = next((s.index for s in one.shares if devices.lacks(s)), None)
    if absent is not None:
        return f"GPU {absent} is not there"
    if any(not UNREPORTED <= s.milli <= WHOLE or not 0 <= s.memory <= AMOUNT for s in one.shares):
        return "a part of a GPU that is none"
    named = len({(s.index, s.uuid) for s in one.shares})
    if request is not None and one.source in _MOST and named > _MOST[one.source] * request.count:
        return f"names {named} GPUs and asks for {request.count}"
    return ""


def _listed(indices: Sequence[int]) -> str:
    return ",".join(map(str, indices))


def _joined(shares: Sequence[GpuShare], devices: NodeDevices, request: GpuRequest | None) -> tuple[GpuShare, ...]:
    """Each device once, with all that is held of it, ascending by index."""
    out: dict[tuple[int, str], GpuShare] = {}
    for share in shares:
        device = devices.find(share)
        milli = milli_of(share, device.memory if device else 0, request)
        index, uuid = (device.index, device.uuid or share.uuid) if device else (-1, share.uuid)
        before = out.get((index, uuid))
        if before is None:
            out[index, uuid] = GpuShare(index, uuid, milli, share.memory, share.healthy)
        else:
            healthy = before.healthy and share.healthy
            milli = min(WHOLE, before.milli + milli)
            out[index, uuid] = GpuShare(index, uuid, milli, before.memory + share.memory, healthy)
    return tuple(out[key] for key in sorted(out)) if len(out) > 1 else tuple(out.values())


def milli_of(share: GpuShare, memory: int, request: GpuRequest | None) -> int:
    """Thousandths of a device with `memory` bytes (0: not known) that a share takes, rounded up."""
    milli = share.milli
    if milli == UNREPORTED:
        milli = request.milli if request is not None else WHOLE
        asked = share.memory or (request.memory if request is not None else 0)
    else:
        asked = share.memory
    if asked and milli < WHOLE:
        milli = max(milli, -(-asked * WHOLE // memory)) if memory else max(milli, WHOLE if milli == 0 else milli)
    return min(WHOLE, milli)
