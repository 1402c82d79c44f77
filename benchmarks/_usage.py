"""Reads the usage series of a data folder on a 5-minute grid, whatever the files are called.

Every .npz under DIR/usage is read. Two shapes are understood: pairs `<name>_unix` [T], `<name>_value` [T]; and any
two-dimensional array [series, time] beside a scalar `step_seconds`, with the names in `series` where given.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STEP = 300
PER_DAY = 288


@dataclass(frozen=True, slots=True)
class Series:
    """One series on the 5-minute grid; `values` [T] float32 with NaN gaps. `unit` is file/key."""

    name: str
    file: str
    kind: str
    values: NDArray[np.float32]

    @property
    def service(self) -> bool:
        """Whether it is the usage of a whole service (workload) rather than of one machine."""
        return "service" in self.name.lower() or "service" in self.file.lower() or "crane" in self.file.lower()

    @property
    def half(self) -> str:
        """`choose` or `report`, by a hash of the name (mean and maximum of one machine share a name and a half)."""
        return "choose" if hashlib.sha256(self.name.encode()).digest()[0] % 2 == 0 else "report"


def read(data: Path) -> list[Series]:
    """All series of DIR/usage, sorted by file, kind and name."""
    out: list[Series] = []
    for path in sorted((data / "usage").glob("**/*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            out.extend(_pairs(path.stem, arrays))
            out.extend(_matrices(path.stem, arrays))
    return out


def _pairs(file: str, arrays: np.lib.npyio.NpzFile) -> list[Series]:
    out = []
    for key in sorted(arrays.files):
        name = key.removesuffix("_unix")
        if name == key or f"{name}_value" not in arrays.files:
            continue
        values = _binned(arrays[key].astype(np.int64), arrays[f"{name}_value"].astype(np.float64))
        out.append(Series(name, file, "value", values))
    return out


def _matrices(file: str, arrays: np.lib.npyio.NpzFile) -> list[Series]:
    out = []
    step = int(arrays["step_seconds"]) if "step_seconds" in arrays.files else STEP
    for key in sorted(arrays.files):
        if arrays[key].ndim != 2 or arrays[key].dtype.kind not in "fiu":
            continue
        rows = arrays[key].astype(np.float32)
        names = [str(n) for n in arrays["series"]] if "series" in arrays.files else []
        if len(names) != len(rows):
            names = [f"{file}-{i:03d}" for i in range(len(rows))]
        for name, row in zip(names, rows, strict=True):
            values = row if step == STEP else _binned(np.arange(row.size) * step, row.astype(np.float64))
            out.append(Series(name, file, key, values))
    return out


def _binned(unix: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mean of the samples of each 5 minutes, NaN where there is none."""
    known = np.isfinite(values)
    bins = (unix[known] - unix.min()) // STEP if unix.size else unix
    if not bins.size:
        return np.empty(0, np.float32)
    size = int(bins.max()) + 1
    count = np.bincount(bins, minlength=size)
    total = np.bincount(bins, values[known], size)
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan).astype(np.float32)
