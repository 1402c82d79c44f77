"""Annotations with plain indices of devices: gpushare's, and those of the openb traces.

gpushare: `ALIYUN_COM_GPU_MEM_IDX` names one device, `..._POD` and `..._DEV` how much memory of how much, in one unit
(AliyunContainerService/gpushare-scheduler-extender pkg/utils/const.go); later versions write
`scheduler.framework.gpushare.allocation`, {container: {device: memory}}.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from descheduler.kube.devices.source import DeviceSource
from descheduler.model.devices import UNREPORTED, WHOLE, GpuShare, GpuSource, GpuStatement

GPU_INDEX = "alibabacloud.com/gpu-index"
MEM_INDEX = "ALIYUN_COM_GPU_MEM_IDX"
MEM_OF_POD = "ALIYUN_COM_GPU_MEM_POD"
MEM_OF_DEVICE = "ALIYUN_COM_GPU_MEM_DEV"
ALLOCATION = "scheduler.framework.gpushare.allocation"

_allocation = msgspec.json.Decoder(dict[str, dict[str, int] | None])


def gpushare(annotations: Mapping[str, str]) -> GpuStatement | None:
    """What gpushare's annotations say the pod holds."""
    try:
        shares = _shares(annotations)
    except (ValueError, ArithmeticError, msgspec.MsgspecError) as e:
        return GpuStatement(GpuSource.GPUSHARE, problem=f"metadata.annotations[{MEM_INDEX}]: {e}")
    return GpuStatement(GpuSource.GPUSHARE, shares) if shares else None


def _shares(annotations: Mapping[str, str]) -> tuple[GpuShare, ...]:
    of_device = int(annotations.get(MEM_OF_DEVICE, "0"))
    if ALLOCATION in annotations:
        found = _allocation.decode(annotations[ALLOCATION])
        rows = [(int(index), memory) for devices in found.values() for index, memory in (devices or {}).items()]
    elif annotations.get(MEM_INDEX, "-1") != "-1":  # -1: not assigned
        rows = [(int(annotations[MEM_INDEX]), int(annotations.get(MEM_OF_POD, "0")))]
    else:
        return ()
    return tuple(
        GpuShare(index, milli=min(WHOLE, -(-memory * WHOLE // of_device)) if of_device and memory else UNREPORTED)
        for index, memory in rows
    )


def reported(annotations: Mapping[str, str]) -> tuple[GpuStatement | None, ...]:
    """What either kind of annotation says."""
    return gpushare(annotations), gpu_index(annotations)


def gpu_index(annotations: Mapping[str, str]) -> GpuStatement | None:
    """What `alibabacloud.com/gpu-index` ("3-1") says the pod holds; what is no index in it is passed over."""
    parts = annotations.get(GPU_INDEX, "").split("-")
    shares = tuple(GpuShare(int(part), milli=UNREPORTED) for part in parts if part.isdecimal() and len(part) <= 4)
    return GpuStatement(GpuSource.GPU_INDEX, shares) if shares else None


SOURCE = DeviceSource(annotations=frozenset({GPU_INDEX, MEM_INDEX, MEM_OF_DEVICE, ALLOCATION}), of_annotations=reported)
