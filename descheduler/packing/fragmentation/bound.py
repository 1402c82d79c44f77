"""Below which F no plan within a budget of moves can end: proven, whatever the search may have found.

Prices make the nodes independent (`relaxed`); for any prices at all the sum over nodes is a bound. Good prices
are found by steps along the subgradient, as long as the bound is from F at the end of a known plan (Polyak 1969,
Held, Wolfe and Crowder 1974); the bound itself is then taken with the nodes solved to the end.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from descheduler.model.arrays import Indices
from descheduler.packing.fragmentation.exact import exact_gains
from descheduler.packing.fragmentation.index import FragmentationIndex
from descheduler.packing.fragmentation.measure import fragmentation
from descheduler.packing.fragmentation.pricing import Prices, answer
from descheduler.packing.fragmentation.relaxed import Relaxed, relaxed_of
from descheduler.packing.state import Packing, Step, replay
from descheduler.packing.workload import Workload

STEEPEST, MILDEST = 0.2, 0.004
"""Prices of CPU that are tried, in thousandths of a device for a unit of CPU, the largest and the smallest but none."""
PRICES = 16
FIRST_MOVE = 100.0
"""The first price of a move, in thousandths of a device."""
PROOF = 160
"""Steps of the search for prices that a proof is worth."""
PATIENCE, SHORTER, MOMENTUM = 8, 0.6, 0.42
"""Steps without a better bound before they shorten, by how much they do, and how much of the last step goes on."""


def fragmentation_bound(
    packing: Packing, workload: Workload, moves: float, steps: Iterable[Step] = (), effort: int = PROOF
) -> float | None:
    """No plan with moves whose costs sum to at most `moves` ends with an F (thousandths) below.

    `steps` are the best plan known: the nearer its end is to the lowest, the better the bound. `effort`: steps of the
    search for prices. None where devices are shared in too many ways to tell.
    """
    after = FragmentationIndex(replay(packing, steps), workload)
    now = fragmentation(packing, workload)
    relaxed = relaxed_of(packing, workload, now)
    if relaxed is None:
        return None
    prices = good_prices(relaxed, alike(packing, workload), moves, after, effort)
    return max(0.0, min(lowest_reachable(relaxed, prices, moves), float(now.sum()), float(after.value.sum())))


def lowest_reachable(relaxed: Relaxed, prices: Prices, moves: float) -> float:
    """No rearrangement with moves whose costs sum to at most `moves` has an F (thousandths) below.

    Valid for every order of moves, and for fleeting overcommitment too: only what stands where at the end is asked.
    """
    most = sum(float(exact_gains(group, relaxed, prices).sum()) for group in relaxed.groups)
    return float(relaxed.value.sum()) - moves * prices.move - most


def alike(packing: Packing, workload: Workload) -> Indices:
    """[S] shapes that differ only in what the relaxation does not see have one price."""
    shapes = packing.shapes
    seen = np.stack([shapes.amounts[:, workload.column], shapes.count, shapes.milli], axis=1)
    keys = np.concatenate([seen, shapes.allowed], axis=1)
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)


def good_prices(relaxed: Relaxed, same: Indices, moves: float, plan: FragmentationIndex, effort: int) -> Prices:
    """Prices that bring the bound near its highest, in `effort` steps.

    `same` [S] shapes that are `alike`; `plan` the state after the best plan known, whose marginals come first.
    """
    cpu = np.concatenate([[0.0], np.geomspace(MILDEST, STEEPEST, PRICES - 1)])
    start, target = float(relaxed.value.sum()), float(plan.value.sum())
    size = int(same.max()) + 1
    host = np.full(size, np.inf)
    np.minimum.at(host, same, plan.enter.min(axis=1))
    host[~np.isfinite(host)] = 0.0
    point = np.append(host, FIRST_MOVE)
    best, bound = point, -np.inf
    step, last, stalled = 1.0, np.zeros(size + 1), 0
    for _ in range(effort):
        found = answer(relaxed, Prices(point[same], float(point[-1]), cpu))
        value = start - moves * point[-1] - found.total
        if value > bound:
            best, bound, stalled = point, value, 0
        elif (stalled := stalled + 1) >= PATIENCE:
            point, step, last, stalled = best, step * SHORTER, np.zeros(size + 1), 0
            continue
        last = np.append(-np.bincount(same, found.surplus, size), found.cost - moves) + MOMENTUM * last
        if not last.any():
            break
        point = point + step * max(0.0, target - value) / float(last @ last) * last
        point[-1] = max(0.0, point[-1])
    return Prices(best[same], float(best[-1]), cpu)
