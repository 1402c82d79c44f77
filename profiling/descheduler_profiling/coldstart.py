"""Cold start: a workload with hours of history borrows from its like.

Likeness is told by what is known before the first sample: requests, owner kind, image; the shape of the day comes
with the donor's vector. The nearest donors with enough history are averaged after scaling to the level that the
borrower has shown, or to its request where it has shown nothing, and mixed with what the borrower itself has by the
share of a day that it was measured. A borrower's own forecast is never lowered by a donor, and its confidence says
that it is borrowed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from descheduler.model.arrays import Floats32
from descheduler_profiling.profiles import SignalProfiles, packed
from descheduler_profiling.settings import WEEK, Likeness, ProfileSettings

DONORS = 5
CONFIDENCE = 0.3  # the most that a borrowed profile is worth
MATURE = 0.7  # confidence of a donor


def borrowed(made: SignalProfiles, settings: ProfileSettings) -> SignalProfiles:
    """The profiles with those of young workloads filled from their like, where `settings.likeness` says which are."""
    if not settings.likeness or not len(made.keys):
        return made
    least = settings.min_history / WEEK
    known = [settings.likeness.get(key) for key in made.keys]
    young = [row for row in np.flatnonzero(made.confidence < least).tolist() if known[row] is not None]
    donors = [row for row in np.flatnonzero(made.confidence >= MATURE).tolist() if known[row] is not None]
    if not young or not donors:
        return made
    vectors, peaks, scales, shapes = made.vectors.copy(), made.peaks.copy(), made.scales.copy(), made.shapes.copy()
    confidence, why, borrowers = made.confidence.copy(), list(made.why), made.fitted.lent.copy()
    donor_marks = [_mark(known[row]) for row in donors]
    images = _index([mark[0] for mark in donor_marks])
    kinds = _index([mark[1] for mark in donor_marks])
    sizes = np.array([mark[2] for mark in donor_marks])
    for row in young:
        image, kind, size = _mark(known[row])
        near, by = _nearest(images.get(image), kinds.get(kind), sizes, size, bool(image))
        if not near.size:
            continue
        chosen = np.array(donors)[near]
        scale = _scale(made, row, chosen, size, sizes[near])
        own = min(1.0, float(made.confidence[row]) / max(least, 1e-9))
        vectors[row] = own * vectors[row] + (1 - own) * np.mean(vectors[chosen] * scale[:, None], axis=0)
        peaks[row] = np.maximum(
            peaks[row], own * peaks[row] + (1 - own) * np.mean(peaks[chosen] * scale[:, None], axis=0)
        )
        lent = np.mean(_curves(made, chosen) * scale[:, None, None], axis=0)
        mine = _curves(made, np.array([row]))[0]
        scales[row : row + 1], shapes[row : row + 1] = packed(np.maximum(mine, own * mine + (1 - own) * lent)[None])
        borrowers[row] = True
        confidence[row] = max(float(made.confidence[row]), CONFIDENCE * (1 - own))
        reason = f"borrowed from {near.size} workloads of the same {by}"
        why[row] = f"{why[row]}, {reason}" if why[row] else reason
    return replace(
        made,
        vectors=vectors,
        scales=scales,
        shapes=shapes,
        peaks=peaks,
        confidence=confidence,
        why=tuple(why),
        fitted=replace(made.fitted, lent=borrowers),
    )


def _curves(made: SignalProfiles, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats32:
    return np.asarray(made.shapes[rows].astype(np.float32) * made.scales[rows][:, None, None], np.float32)


def _mark(likeness: Likeness | None) -> tuple[str, str, float]:
    if likeness is None:
        return "", "", 0.0
    # The tag is no part of what an image does: a new version is like the old one.
    name = likeness.image.split("@")[0]
    head, _, tail = name.rpartition(":")
    return (head if head and "/" not in tail else name), likeness.kind, max(likeness.request, 0.0)


def _index(names: list[str]) -> dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    found: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        if name:
            found.setdefault(name, []).append(position)
    return {name: np.array(positions, np.int64) for name, positions in found.items()}


def _nearest(
    same_image: np.ndarray[tuple[int], np.dtype[np.int64]] | None,
    same_kind: np.ndarray[tuple[int], np.dtype[np.int64]] | None,
    sizes: np.ndarray[tuple[int], np.dtype[np.float64]],
    size: float,
    has_image: bool,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], str]:
    """Up to five donors: of the same image, else of the same kind and a request within a factor of two."""
    if has_image and same_image is not None and same_image.size:
        pool, by = same_image, "image"
    elif same_kind is not None and size > 0:
        apart = np.abs(np.log(np.maximum(sizes[same_kind], 1e-9) / size))
        pool, by = same_kind[apart <= np.log(2.0)], "kind and size"
    else:
        return np.empty(0, np.int64), ""
    apart = np.abs(np.log((sizes[pool] + 1e-9) / (size + 1e-9)))
    return pool[np.argsort(apart, kind="stable")[:DONORS]], by


def _scale(
    made: SignalProfiles,
    row: int,
    donors: np.ndarray[tuple[int], np.dtype[np.int64]],
    size: float,
    sizes: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> Floats32:
    """What each donor is multiplied by: the ratio of levels where the borrower was measured, else of requests."""
    if made.confidence[row] > 0 and made.levels[row] > 0:
        ratio = np.asarray(made.levels[row] / np.maximum(made.levels[donors], 1e-12), np.float64)
    elif size > 0:
        ratio = np.where(sizes > 0, size / np.maximum(sizes, 1e-12), 1.0)
    else:
        ratio = np.ones(len(donors))
    out: Floats32 = np.clip(ratio, 0.1, 10.0).astype(np.float32)
    return out
