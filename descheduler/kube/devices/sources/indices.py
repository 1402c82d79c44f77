"""Annotations with plain indices of devices: gpushare's, and those of the openb traces.

gpushare: `ALIYUN_COM_GPU_MEM_IDX` names one device, `..._POD` and `..._DEV` how much memory of how much, in one unit
(AliyunContainerService/gpushare-scheduler-extender pkg/utils/const.go); later versions write
`scheduler.framework.gpushare.allocation`, {container: {device: memory}}.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from descheduler.kube.convert.wire import Int32
from descheduler.kube.devices.source import DeviceSource
from descheduler.model.bounds import INT32, integer_of
from descheduler.model.devices import UNREPORTED, WHOLE, GpuShare, GpuSource, GpuStatement
from descheduler.model.fence import Unreadable, fenced, shortened

GPU_INDEX = "alibabacloud.com/gpu-index"
MEM_INDEX = "ALIYUN_COM_GPU_MEM_IDX"
MEM_OF_POD = "ALIYUN_COM_GPU_MEM_POD"
MEM_OF_DEVICE = "ALIYUN_COM_GPU_MEM_DEV"
ALLOCATION = "scheduler.framework.gpushare.allocation"

_allocation = msgspec.json.Decoder(dict[str, dict[str, Int32] | None])


def gpushare(annotations: Mapping[str, str]) -> GpuStatement | None:
    """What gpushare's annotations say the pod holds."""
    found = fenced(
        lambda: GpuStatement(GpuSource.GPUSHARE, _shares(annotations)),
        lambda why: GpuStatement(GpuSource.GPUSHARE, problem=f"metadata.annotations[{MEM_INDEX}]: {why}"),
    )
    return found if found.shares or found.problem else None


def _shares(annotations: Mapping[str, str]) -> tuple[GpuShare, ...]:
    of_device = _number(annotations.get(MEM_OF_DEVICE, "0"))
    if ALLOCATION in annotations:
        found = _allocation.decode(annotations[ALLOCATION])
        rows = [(_number(index), memory) for devices in found.values() for index, memory in (devices or {}).items()]
    elif annotations.get(MEM_INDEX, "-1") != "-1":  # -1: not assigned
        rows = [(_number(annotations[MEM_INDEX]), _number(annotations.get(MEM_OF_POD, "0")))]
    else:
        return ()
    return tuple(
        GpuShare(index, milli=min(WHOLE, -(-memory * WHOLE // of_device)) if of_device and memory else UNREPORTED)
        for index, memory in rows
    )


def _number(text: str) -> int:
    found = integer_of(text.strip())
    if found is None or not -1 <= found <= INT32:
        raise Unreadable("", f"{shortened(text)!r} is no number of devices or memory")
    return found


def reported(annotations: Mapping[str, str]) -> tuple[GpuStatement | None, ...]:
    """What either kind of annotation says."""
    return gpushare(annotations), gpu_index(annotations)


def gpu_index(annotations: Mapping[str, str]) -> GpuStatement | None:
    """What `alibabacloud.com/gpu-index` ("3-1") says the pod holds; what is no index in it is passed over."""
    parts = annotations.get(GPU_INDEX, "").split("-")
    shares = tuple(GpuShare(int(part), milli=UNREPORTED) for part in parts if part.isdecimal() and len(part) <= 4)
    return GpuStatement(GpuSource.GPU_INDEX, shares) if shares else None


SOURCE = DeviceSource(annotations=frozenset({GPU_INDEX, MEM_INDEX, MEM_OF_DEVICE, ALLOCATION}), of_annotations=reported)
