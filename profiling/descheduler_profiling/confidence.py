"""How far a profile may be believed: by how much was measured, how lately, and what had to be thrown away."""

from __future__ import annotations

import numpy as np

from descheduler.model.arrays import Floats32
from descheduler_profiling.clean import Cleaned
from descheduler_profiling.settings import HOUR, WEEK

FEWEST = 4  # samples without which nothing is said


def confidence_of(cleaned: Cleaned, step: int, min_history: int) -> tuple[Floats32, tuple[str, ...]]:
    """Confidence [S] in 0..1 and, where it is not 1, the reason.

    The share of a week that was measured; 0 with fewer than four samples or none in the last hour; a tenth less where
    samples were dropped.
    """
    values, measured, dropped = cleaned.values, cleaned.measured, cleaned.dropped
    rows = len(values)
    seconds = measured * step
    confidence = np.clip(seconds / WEEK, 0, 1).astype(np.float32)
    confidence[seconds >= 0.95 * WEEK] = 1
    recent = np.isfinite(values[:, -max(1, HOUR // step) :]).sum(axis=1) > 0
    confidence[dropped > 0] *= np.float32(0.9)
    confidence[(measured < FEWEST) | ~recent] = 0
    why = []
    for row in range(rows):
        reasons = []
        if measured[row] < FEWEST:
            reasons.append(f"only {measured[row]} usable samples" if measured[row] else "nothing measured")
        elif not recent[row]:
            reasons.append("nothing measured in the last hour")
        elif seconds[row] < min_history or confidence[row] < 0.9:
            reasons.append(f"{seconds[row] / HOUR:.1f} h measured")
        if dropped[row]:
            reasons.append(f"{dropped[row]} samples dropped (negative, infinite or absurd)")
        why.append(", ".join(reasons))
    return confidence, tuple(why)
