"""Combinations of values to try on a policy, how many of them for how long, and which of them are the better ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Floats, Ints

KEPT = 3
"""Of so many combinations one goes on to a walk so many times as long (the usual rate of successive halving,
Karnin, Koren and Somekh 2013; Li et al. 2018)."""
SHORT = (1 / KEPT**2, 1 / KEPT)
"""Shares of the time of the short walks, where there are more combinations than may be walked."""
LEAST = 6 * 3600.0
"""Seconds: a walk that is shorter says nothing."""


@dataclass(frozen=True, slots=True)
class Rung:
    """So many combinations are walked for a `share` of the time, with so many seeds each."""

    share: float
    count: int
    seeds: int


def values_of(text: str) -> tuple[str, ...]:
    """`60%,70%` as its values, each once; a comma within brackets or quotes belongs to its value."""
    out, depth, quote, begin = [], 0, "", 0
    for at, letter in enumerate(f"{text},"):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        elif letter == "," and depth <= 0:
            out.append(text[begin:at].strip())
            begin = at + 1
    return tuple(dict.fromkeys(out or [text]))


def combinations(sizes: Sequence[int], most: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Which value of each setting: all combinations in order, or `most` of them, drawn evenly."""
    total = math.prod(sizes)
    drawn = range(total) if total <= most else sorted(rng.choice(total, most, replace=False).tolist())
    return [tuple(int(at) for at in np.unravel_index(one, sizes)) for one in drawn]


def rungs(combinations: int, seeds: int, budget: int, seconds: float) -> tuple[Rung, ...]:
    """How long which number of combinations is walked, so that it comes to about `budget` walks of the whole time.

    All of them for the whole time, where the budget has room for that; else each rung may take an equal part of it.
    """
    if combinations * seeds <= budget:
        return (Rung(1.0, combinations, seeds),)
    shares = [share for share in SHORT if share * seconds >= LEAST]
    part = budget / (len(shares) + 1)
    out, left = [], combinations
    for share in shares:
        left = max(1, min(left, int(part / share)))
        out.append(Rung(share, left, 1))
        left = max(1, -(-left // KEPT))
    return (*out, Rung(1.0, max(1, min(left, int(part / seeds))), seeds))


def most_tried(seeds: int, budget: int, seconds: float) -> int:
    """How many combinations can be looked at at all."""
    first = rungs(10**9, seeds, budget, seconds)[0]
    return first.count


def hottest_part(hot: Ints, share: float) -> tuple[int, int]:
    """Of C steps with `hot` [C] nodes hot, the part of that share in which most are: its first step and its end."""
    length = max(1, round(share * len(hot)))
    sums = np.cumsum(np.concatenate([[0], hot]))
    first = int(np.argmax(sums[length:] - sums[:-length]))
    return first, first + length


def fronts(points: Floats) -> list[int]:
    """Of n points [n, 2], by how many better fronts each is preceded: 0 for those that no other dominates.

    One dominates another that is nowhere better, and worse somewhere (non-dominated sorting, Deb et al. 2002).
    """
    no_worse = (points[:, None, :] <= points[None, :, :]).all(axis=2)
    dominates = no_worse & ~no_worse.T
    rank = np.full(len(points), -1)
    for front in range(len(points)):
        left = rank < 0
        if not left.any():
            break
        rank[left & ~(dominates & left[:, None]).any(axis=0)] = front
    return [int(one) for one in rank]
