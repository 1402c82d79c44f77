"""One load among a changing number of replicas: what each would use of it, were there as many as there will be.

History tells what a replica used among those of its time. A service's load is shared: where fewer replicas are left
each has more of it, and what an autoscaler makes of the load decides how many there are. So the total is divided anew,
by the replicas that would be there now under the same load: a fixed number, or what a HorizontalPodAutoscaler with the
target and the bounds of now would have made of it (kubernetes pkg/controller/podautoscaler: desired replicas are
ceil(total / target), nothing is done within a tolerance of 10 %, a window of recommendations steadies them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from descheduler.model.arrays import Floats, Floats32, Mask
from descheduler_profiling.settings import DAY

TOLERANCE: Final = 0.1
"""--horizontal-pod-autoscaler-tolerance of kube-controller-manager."""
_ROLL_OUT: Final = 1800  # seconds: pods of two revisions that are measured at once for less are no change of scale
_EXPLAINED: Final = 1.25  # times: half of the past is nearer where an autoscaler of now explains its replicas
_DIFFERENT: Final = 0.2  # share by which numbers of replicas differ
_EVIDENCE: Final = 3600  # seconds at other numbers of replicas by which it is judged what a load does


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many replicas a workload will have: between `least` and `most`, by their use of one resource.

    `target` is the use at which each is kept, in the unit of the values; 0: it is not known, and they are as many as
    they were, within those bounds. `down` and `up`: seconds of recommendations that are looked back at before there are
    fewer, or more. `least` equal to `most`: a fixed number.
    """

    least: float
    most: float
    target: float = 0.0
    down: int = 300
    up: int = 0

    @property
    def fixed(self) -> bool:
        return self.least == self.most


def steadied(counts: Floats32, step: int) -> Floats32:
    """Numbers of replicas [S, T] without those that last for less than a roll-out does; NaN stays."""
    width = 2 * max(1, _ROLL_OUT // step // 2) + 1
    if counts.shape[1] < width:
        return counts
    calm = median_filter(np.nan_to_num(counts), size=(1, width), mode="nearest")
    out: Floats32 = np.where(np.isfinite(counts) & (calm > 0), calm, counts)
    return out


def shared(values: Floats32, counts: Floats32, scalings: list[Scaling], step: int) -> Floats32:
    """What each replica would use [S, T] of what all of them used together: `values` [S, T] of one of `counts` [S, T].

    Where nobody knows how many there were, values stay; so do those of workloads whose replicas plainly do not share
    one load, and those of replicas that were as many as they would be.
    """
    counts = steadied(counts, step)
    total = (values * counts).astype(np.float64)
    divided = np.empty_like(total)
    for at, scaling in enumerate(scalings):
        divided[at] = scaling.least if scaling.fixed else np.clip(counts[at], scaling.least, scaling.most)
    otherwise = np.flatnonzero(_acts_otherwise(total, counts, scalings))
    if otherwise.size:
        divided[otherwise] = followed(total[otherwise], counts[otherwise], [scalings[at] for at in otherwise], step)
    each = total / np.maximum(divided, 1e-9)
    fixed = np.flatnonzero([one.fixed for one in scalings])
    kept = ~np.isfinite(each)
    kept[fixed[_each_its_own(values[fixed], counts[fixed], step)]] = True
    return np.where(kept | (divided == counts), values, each).astype(np.float32)


def _acts_otherwise(total: Floats, counts: Floats32, scalings: list[Scaling]) -> Mask:
    """[S] whether an autoscaler with the target of now would have made other numbers than there were."""
    target = np.array([0.0 if one.fixed else one.target for one in scalings])
    least, most = (np.array([getattr(one, name) for one in scalings])[:, None] for name in ("least", "most"))
    at = np.flatnonzero(target > 0)
    out = np.zeros(len(scalings), np.bool_)
    wanted = np.clip(np.ceil(total[at] / target[at, None]), least[at], most[at])
    were = np.clip(counts[at], least[at], most[at])
    near = (wanted <= were * _EXPLAINED) & (were <= wanted * _EXPLAINED)
    out[at] = near.sum(axis=1) < np.isfinite(wanted * were).sum(axis=1) / 2
    return out


def followed(total: Floats, counts: Floats32, scalings: list[Scaling], step: int) -> Floats:
    """Replicas [S, T] that autoscalers would have made of totals [S, T], beginning with those that there were."""
    out = np.empty_like(total)
    windows = [(max(1, one.down // step), max(1, one.up // step)) for one in scalings]
    for alike in sorted(set(windows)):
        rows = [at for at, window in enumerate(windows) if window == alike]
        out[rows] = _followed(total[rows], counts[rows], [scalings[at] for at in rows], *alike)
    return out


def _followed(total: Floats, counts: Floats32, scalings: list[Scaling], down: int, up: int) -> Floats:
    """The same of autoscalers that look back at as many recommendations, columns, before they scale down or up."""
    least, most, target = (np.array([getattr(one, name) for one in scalings]) for name in ("least", "most", "target"))
    first = np.isfinite(counts).argmax(axis=1)
    now = np.clip(np.nan_to_num(counts[np.arange(len(counts)), first], nan=1.0), least, most)
    out = np.empty_like(total)
    past: list[Floats] = []
    for column in range(total.shape[1]):
        load = total[:, column]
        known = np.isfinite(load)
        ratio = np.where(known, load / (np.maximum(now, 1.0) * target), 1.0)
        wanted = np.where(np.abs(ratio - 1.0) <= TOLERANCE, now, np.ceil(np.where(known, load, 0.0) / target))
        past = [*past[-max(down, up) + 1 :], wanted] if max(down, up) > 1 else [wanted]
        rising, falling = np.min(past[-up:], axis=0), np.max(past[-down:], axis=0)
        now = np.clip(np.maximum(np.minimum(now, falling), rising), least, most)
        out[:, column] = now
    return out


def _each_its_own(values: Floats32, counts: Floats32, step: int) -> Mask:
    """[S] whether a replica used the same as at that time on another day, among fewer or more: like one that takes from
    a queue, or has its own part of the data. Where numbers never differed so, nothing says that."""
    day = max(1, DAY // step)
    if values.shape[1] <= day:
        return np.zeros(len(values), np.bool_)
    with np.errstate(invalid="ignore", divide="ignore"):
        number = np.abs(np.log(counts[:, day:] / counts[:, :-day]))
        each = np.abs(np.log(values[:, day:] / values[:, :-day]))
        whole = np.abs(np.log((values * counts)[:, day:] / (values * counts)[:, :-day]))
    told: NDArray[np.bool_] = (number > np.log(1 + _DIFFERENT)) & np.isfinite(each) & np.isfinite(whole)
    enough = told.sum(axis=1) >= max(1, _EVIDENCE // step)
    out = np.zeros(len(values), np.bool_)
    for row in np.flatnonzero(enough).tolist():
        out[row] = np.median(each[row, told[row]]) < np.median(whole[row, told[row]])
    return out
