"""Where things stand in a forecast vector, and at which past times its samples were taken.

A vector is `[points | samples of bucket 0 | samples of bucket 1 | ... | squared excess of the peaks of an hour and a
day]`. All rows share the same leads and the same past origins, so that adding vectors adds series at the same
instants: the quantile of the summed samples is the quantile of the summed series, with every correlation between
them, not a sum of quantiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from descheduler.model.arrays import Floats32, Ints
from descheduler_profiling.settings import DAY, HOUR, WEEK

# Past origins per bucket, and leads sampled at each: 36 x (3 + 9 + 6 + 12) samples, 104 points and two for peaks are
# 1,186 float32, 90 MiB for 20,000 workloads.
ORIGINS = 36
LEADS = (3, 9, 6, 12)
FINE = 12  # points stand at every step up to here, then at every third
COARSE = 3
PART = 2 * HOUR  # of the buckets beyond an hour, for which errors of all times of the day are not alike
NEAR = 3 * HOUR
FEWEST = 24  # samples that say something of a time of the day


@dataclass(frozen=True)
class Bucket:
    """One horizon bucket: leads `first`..`last` (steps), and [K, J] past samples as (origin age, lead) in steps."""

    seconds: int
    first: int
    last: int
    room: int  # steps over which the past origins are spread
    ages: Ints  # [K]: steps between the past origin and the last column of the history
    leads: Ints  # [K, J]: lead of each sample from its own past origin
    offset: int  # of the first sample in the vector

    @property
    def size(self) -> int:
        return int(self.leads.size)

    def later(self, steps: int) -> Bucket:
        """The same past origins so many steps later; the oldest make room for new ones, a whole round later.

        The newest is always the last there can be, for what went wrong just now goes on going wrong.
        """
        ages = self.last + (self.ages - self.last + steps) % self.room
        ages[0] = self.last
        return replace(self, ages=ages)


@dataclass(frozen=True, eq=False, slots=True)
class Between:
    """Leads [L] as shares between kept points: `right` [L] of `share`, `left` [L] of the rest."""

    left: Ints
    right: Ints
    share: Floats32


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """Leads `first`..`last` of a bucket that have one margin: told by all samples of the bucket and, with the same
    weight, by those [n] of them that were `near` in time of the day (None: by all alike)."""

    bucket: Bucket
    first: int
    last: int
    near: Ints | None


@dataclass(frozen=True)
class Layout:
    """The common layout of all vectors of one signal; errors count `widened` times what they were (calibration.py)."""

    step: int
    steps: int  # future steps covered (H)
    point_leads: Ints  # [P]
    buckets: tuple[Bucket, ...]
    widened: float = 1.0

    @property
    def points(self) -> int:
        return int(self.point_leads.size)

    @property
    def width(self) -> int:
        """D, the length of a vector."""
        return self.excess + 2

    @property
    def excess(self) -> int:
        """Where the squared excesses stand: by how much single peaks (1 h, 24 h) pass what the samples show.

        Spikes of different pods fall at different times; as squares they add as independent deviations do.
        """
        return self.points + sum(b.size for b in self.buckets)

    def alike(self, other: Layout) -> bool:
        """Whether vectors of the two can be added: they say the same of the same steps ahead, and have as many samples.

        Samples of other past instants are as good, where what is added is not of one cause.
        """
        sizes, theirs = ([(b.first, b.last, b.size) for b in one.buckets] for one in (self, other))
        return self.step == other.step and sizes == theirs and np.array_equal(self.point_leads, other.point_leads)

    def later(self, steps: int) -> Layout:
        """The layout for a history that has grown by so many steps, whose samples are of the same instants.

        So vectors that were fitted at other times still add up.
        """
        return replace(self, buckets=tuple(bucket.later(steps) for bucket in self.buckets))

    def bucket_at(self, horizon_seconds: float) -> int:
        """Index of the bucket that holds a step so many seconds ahead (the last one for anything beyond)."""
        for index, bucket in enumerate(self.buckets):
            if horizon_seconds <= bucket.last * self.step:
                return index
        return len(self.buckets) - 1

    @cached_property
    def bucket_of_step(self) -> Ints:
        """[H]: index of the bucket of each future step."""
        leads = np.arange(1, self.steps + 1)
        return np.searchsorted([b.last for b in self.buckets], leads).astype(np.int64)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The parts of all buckets, in the order of their leads."""
        return tuple(part for bucket in self.buckets for part in self._parts(bucket))

    def _parts(self, bucket: Bucket) -> Iterator[Part]:
        if bucket.last * self.step <= HOUR:
            yield Part(bucket, bucket.first, bucket.last, None)
            return
        per_day, width = max(1, DAY // self.step), max(1, PART // self.step)
        when = (bucket.leads - bucket.ages[:, None]).ravel()  # steps from now to what was sampled
        for first in range(bucket.first, bucket.last + 1, width):
            last = min(bucket.last, first + width - 1)
            apart = np.abs((when - (first + last) // 2 + per_day // 2) % per_day - per_day // 2)
            near = np.flatnonzero(apart * self.step <= NEAR)
            yield Part(bucket, first, last, near if near.size >= FEWEST else None)

    @cached_property
    def part_of_step(self) -> Ints:
        """[H]: index of the part of each future step."""
        leads = np.arange(1, self.steps + 1)
        return np.searchsorted([part.last for part in self.parts], leads).astype(np.int64)

    @cached_property
    def every_step(self) -> Between:
        """Where each future step [H] is between the points."""
        return self.between(np.arange(1, self.steps + 1))

    def between(self, leads: Ints) -> Between:
        """Where leads [L] (steps from now) are between the points."""
        right = np.minimum(np.searchsorted(self.point_leads, leads), self.points - 1)
        left = np.maximum(right - 1, 0)
        gap = np.maximum(self.point_leads[right] - self.point_leads[left], 1)
        share = np.clip((leads - self.point_leads[left]) / gap, 0.0, 1.0).astype(np.float32)
        return Between(left, right, np.where(right == left, np.float32(1), share))

    def corners(self, steps: int) -> tuple[tuple[Part, Between], ...]:
        """Each part within so many steps, and the leads at which a curve can have its top.

        Within a part the margin is one and the same and the curve is straight between kept points.
        """
        found = self._corners.get(steps)
        if found is None:
            found = self._corners[steps] = tuple(self._tops(steps))
        return found

    @cached_property
    def _corners(self) -> dict[int, tuple[tuple[Part, Between], ...]]:
        return {}

    def _tops(self, steps: int) -> Iterator[tuple[Part, Between]]:
        kept = self.point_leads
        for part in self.parts:
            last = min(part.last, steps)
            if last < part.first:
                return
            inside = kept[(kept > part.first) & (kept < last)]
            yield part, self.between(np.concatenate([[part.first], inside, [last]]).astype(np.int64))

    def point_index(self, leads: Ints) -> Ints:
        """Index [L] of the nearest point at or after each lead [L] (steps from now)."""
        return np.minimum(np.searchsorted(self.point_leads, leads), self.points - 1).astype(np.int64)


def layout(step: int, horizons: tuple[int, ...], history_steps: int, end: int = 0) -> Layout:
    """The layout for a grid of `step` seconds and a history of so many columns up to `end` (unix seconds).

    Buckets shorter than a step are dropped. Past origins are spread over at most a week before the last possible
    one, at a spacing that visits all times of the day. Histories that end together have the same, whenever their
    vectors were first fitted.
    """
    lasts = [h // step for h in horizons]
    steps = max(1, lasts[-1])
    lasts[-1] = steps
    fine = min(FINE, steps)
    points = np.unique(np.concatenate([np.arange(1, fine + 1), np.arange(fine, steps + 1, COARSE), [steps]]))
    buckets: list[Bucket] = []
    first, offset = 1, int(points.size)
    for index, last in enumerate(lasts):
        if last < first:
            continue
        room = max(1, min(history_steps, WEEK // step) - 1)
        ages, leads = _samples(first, last, index, room)
        bucket = Bucket(horizons[index], first, last, room, ages, leads, offset)
        buckets.append(bucket)
        offset += bucket.size
        first = last + 1
    return Layout(step, steps, points.astype(np.int64), tuple(buckets)).later(end // step)


def _samples(first: int, last: int, index: int, room: int) -> tuple[Ints, Ints]:
    """Ages [K] and leads [K, J] of the samples of one bucket; leads are staggered so that all phases are met."""
    count = min(LEADS[min(index, len(LEADS) - 1)], last - first + 1)
    stride = (last - first + 1) / count
    # A week over 36 is no divisor of a day: the origins meet many times of the day.
    spacing = room / ORIGINS
    k = np.arange(ORIGINS)
    ages = last + np.round(k * spacing).astype(np.int64)
    stagger = ((k * 0.6180339887) % 1.0)[:, None]
    leads = first + np.floor((np.arange(count)[None, :] + stagger) * stride).astype(np.int64)
    return ages, np.minimum(leads, last)
