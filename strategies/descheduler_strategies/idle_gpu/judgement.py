"""Which pods with GPUs do no work, and of which it is not known: idle is only what no signal disagrees with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Floats32, Mask
from descheduler.model.format import plural, span
from descheduler_profiling.series import History
from descheduler_strategies.idle_gpu.activity import Activity, activity, pooled
from descheduler_strategies.idle_gpu.args import IdleGpuArgs
from descheduler_strategies.idle_gpu.holders import Holders


@dataclass(frozen=True, eq=False, slots=True)
class Doubt:
    """Why it is not known of some pods whether they work: `pods` [K], and the reason in words."""

    pods: Mask
    why: str


@dataclass(frozen=True, eq=False, slots=True)
class Judged:
    """What was seen of K pods: `idle` [K], idle `hours` [K] (GPU-hours) `since` [K], `peak` [K]; `doubts` of others,
    each pod in one at most."""

    held: Holders
    idle: Mask
    hours: NDArray[np.float64]
    since: NDArray[np.float64]
    peak: Floats32
    doubts: tuple[Doubt, ...]

    @property
    def unknown(self) -> Mask:
        """[K] pods of which it is not known whether they work."""
        out = np.zeros(len(self.held.pods), np.bool_)
        for doubt in self.doubts:
            out |= doubt.pods
        return out


def judge(view: RebalanceView, args: IdleGpuArgs, held: Holders) -> Judged:
    """Judge every pod; without a usable history of the signal `gpu` nothing is known of any."""
    size = len(held.pods)
    history = view.usage.get("gpu")
    if history is None or not history.values.shape[1]:
        zeros, nobody = np.zeros(size), np.zeros(size, np.bool_)
        none = Doubt(held.gpus > 0, "no usable history of the signal gpu")
        return Judged(held, nobody, zeros, zeros, np.zeros(size, np.float32), (none,))
    steps = max(1, math.ceil(args.window.total_seconds() / history.step))
    seen = _activity(view, history, args, held)
    known = np.isfinite(seen.values).sum(axis=1) >= args.min_coverage * steps
    peak = _quantile(seen.values, known, args.quantile)
    started = np.array([view.snapshot.pods[p].started for p in held.pods.tolist()])
    settled = (
        (held.gpus > 0)
        & (started > 0)
        & (seen.end - started >= max(args.grace.total_seconds(), args.window.total_seconds()))
    )
    since = np.maximum(seen.since(), started)
    busy = peak > args.threshold
    quiet = known & settled & ~busy
    doubts = _doubts(view, args, held, seen, known=known, busy=busy & known & settled, quiet=quiet, peak=peak)
    if (~known & settled).any():
        span_ = span(args.window.total_seconds())
        doubts.insert(0, Doubt(~known & settled, f"were not measured for {args.min_coverage:.0%} of {span_}"))
    doubts = _once(doubts)
    idle = quiet.copy()
    for doubt in doubts:
        idle &= ~doubt.pods
    hours = np.where(idle, held.gpus * (seen.end - since) / 3600.0, 0.0)
    return Judged(held, idle, hours, since, peak, tuple(doubts))


def _activity(view: RebalanceView, history: History, args: IdleGpuArgs, held: Holders) -> Activity:
    steps = max(1, math.ceil(args.window.total_seconds() / history.step))
    return pooled(activity(view, history, held.pods, held.devices, steps, args.threshold), held.group)


def _doubts(
    view: RebalanceView,
    args: IdleGpuArgs,
    held: Holders,
    seen: Activity,
    *,
    known: Mask,
    busy: Mask,
    quiet: Mask,
    peak: Floats32,
) -> list[Doubt]:
    """What keeps pods that were measured from being called busy (`busy` [K]) or idle (`quiet` [K])."""
    # A bound above the threshold says nothing where the mean is not: one of the GPUs may be busy, or all a little.
    mean = busy & (peak / np.maximum(seen.over, 1) <= args.threshold)
    moving = _memory_moves(view, args, held)
    silent = known & (peak == 0)
    node = view.snapshot.columns.pod_node[held.pods]
    working, nodes = np.unique(node[silent & moving]), np.unique(node[known & ~silent])
    broken = silent & np.isin(node, np.setdiff1d(working, nodes))
    doubts = [
        Doubt(mean, "were only measured as a mean of GPUs that some may have exceeded"),
        Doubt(busy & _at_odds(view, args, held), "have metrics that disagree: one says idle, another busy"),
        Doubt(busy & held.shares, "share GPUs that are in use, and whose work it is is not known"),
        Doubt(quiet & moving, "show no activity, and their GPU memory changes"),
        Doubt(quiet & broken, "are on nodes where no GPU shows any activity, and GPU memory changes"),
    ]
    return [doubt for doubt in doubts if doubt.pods.any()]


def _once(doubts: list[Doubt]) -> list[Doubt]:
    """Each pod in the first doubt that it is in."""
    out: list[Doubt] = []
    for doubt in doubts:
        before = np.any([other.pods for other in out], axis=0) if out else np.zeros(len(doubt.pods), np.bool_)
        left = doubt.pods & ~before
        if left.any():
            out.append(Doubt(left, doubt.why))
    return out


def _at_odds(view: RebalanceView, args: IdleGpuArgs, held: Holders) -> Mask:
    """[K] pods whose GPUs do nothing by the metric that says least of each."""
    history = view.usage.get("gpu_least")
    if history is None or not history.values.shape[1]:
        return np.zeros(len(held.pods), np.bool_)
    steps = max(1, math.ceil(args.window.total_seconds() / history.step))
    least = _activity(view, history, args, held)
    known = np.isfinite(least.values).sum(axis=1) >= args.min_coverage * steps
    nothing: Mask = known & (_quantile(least.values, known, args.quantile) <= args.threshold)
    return nothing


def _quantile(values: Floats32, known: Mask, q: float) -> Floats32:
    """[K] of what was measured, 0 where too little was."""
    out = np.zeros(len(values), np.float32)
    if known.any():
        rows = values[known]
        out[known] = np.nanmax(rows, axis=1) if q >= 1.0 else np.nanquantile(rows, q, axis=1)
    return out


def _memory_moves(view: RebalanceView, args: IdleGpuArgs, held: Holders) -> Mask:
    """[K] memory that changed over the window, where it is known of the single pod or of its device."""
    history = view.usage.get("gpu_memory")
    if history is None or not history.values.shape[1]:
        return np.zeros(len(held.pods), np.bool_)
    steps = max(1, math.ceil(args.window.total_seconds() / history.step))
    once = np.ones(len(held.pods), np.int64)  # memory is summed over the GPUs of a pod
    seen = activity(view, history, held.pods, once, steps, 0.0)
    known = np.isfinite(seen.values).any(axis=1) & (seen.over == 1)
    moves = np.zeros(len(held.pods), np.bool_)
    rows = seen.values[known]
    top = np.nanmax(rows, axis=1) if rows.size else np.empty(0, np.float32)
    moves[known] = top - (np.nanmin(rows, axis=1) if rows.size else top) > args.memory_change * top
    moves |= (held.group >= 0) & np.isin(held.group, held.group[moves])
    return moves


def told(doubts: tuple[Doubt, ...]) -> str:
    """The doubts in words, with how many pods each is about."""
    return "; ".join(f"{plural(int(doubt.pods.sum()), 'pod')}: {doubt.why}" for doubt in doubts)
