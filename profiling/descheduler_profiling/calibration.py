"""Whether sums of workloads stay under what was forecast for them, and margins that follow.

What a node will use is a sum, so sums are what must be covered. Groups of workloads stand for nodes: for each an hour
is promised, and once it is over the share of steps above the promise moves the width of all margins of the signal. That
is the quantile tracker of Angelopoulos, Candès and Tibshirani (2023, arXiv 2307.16895), after the adaptive conformal
inference of Gibbs and Candès (2021, arXiv 2106.00170): what is covered comes right whatever the load does. It is
bounded, so that a bad day neither stops all moves nor lets margins vanish.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from descheduler_profiling.profiles import Promise, SignalProfiles
from descheduler_profiling.series import History
from descheduler_profiling.settings import HOUR

LEVEL = 0.95
TOGETHER = 15  # workloads of a group, fewer in a small fleet
FEWEST, MOST = 8, 256  # groups: that prove something, and that are enough
RATE = 0.5  # by how much margins widen when all is above its promise for an hour
NARROWEST, WIDEST = 0.85, 2.0


def calibrated(made: SignalProfiles, previous: SignalProfiles | None, history: History) -> SignalProfiles:
    """The profiles of a history with margins as wide as the last hours ask for, and the promise of the next hour.

    `previous` profiles of the signal have what was promised; of a history that is not complete nothing is learned.
    """
    width, promise = 1.0, None
    if previous is not None and previous.step == made.step:
        width, promise = previous.layout.widened, previous.promise
    if promise is not None and history.end - promise.at >= promise.levels.shape[1] * made.step:
        above = _above(promise, made, history) if history.complete else None
        if above is not None:
            width = float(np.clip(width + RATE * (above - (1 - LEVEL)), NARROWEST, WIDEST))
        promise = None
    made = replace(made, layout=replace(made.layout, widened=width))
    return replace(made, promise=promise or _promised(made))


def _promised(made: SignalProfiles) -> Promise | None:
    """What groups of workloads stay under in the hour to come; None where there are too few of them."""
    known = np.flatnonzero(made.confidence > 0)
    # Twice as many as must be whole: workloads come and go, and a group that has lost one says nothing.
    size = min(TOGETHER, known.size // (2 * FEWEST))
    if size < 2:
        return None
    apart = known.size // size  # neighbours are of one namespace: those of a group are far from one another
    groups = np.stack([known[first::apart][:size] for first in range(min(apart, MOST))])
    levels = made.curve(made.vectors[groups].sum(axis=1), LEVEL)[:, : max(1, HOUR // made.step)]
    members = tuple(tuple(made.keys[row] for row in group) for group in groups.tolist())
    return Promise(made.origin, levels, members)


def _above(promise: Promise, made: SignalProfiles, history: History) -> float | None:
    """The share of steps above what was promised; None where too few groups were measured, or it was long ago."""
    first = history.values.shape[1] - (history.end - promise.at) // history.step
    steps = promise.levels.shape[1]
    if first < 0:
        return None
    rows = np.stack([made.rows(group) for group in promise.members])
    came = history.values[:, first : first + steps][rows].sum(axis=1)
    came[(rows < 0).any(axis=1)] = np.nan
    known = np.isfinite(came)
    if known.any(axis=1).sum() < FEWEST:
        return None
    return float((came > promise.levels)[known].mean())
