"""Is there another query for the pods that the chosen one does not measure? Asked when some are missing, at times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descheduler.model.arrays import Mask
from descheduler_profiling.history.owners import Owners
from descheduler_profiling.history.pods_here import PodsHere
from descheduler_profiling.history.prometheus.probe import Choice, Prober
from descheduler_profiling.history.ring import Ring
from descheduler_profiling.history.signals import Signal
from descheduler_profiling.settings import HOUR

_FEWER = 0.02  # of the pods, by which fewer are measured than before when it is asked at once
_WORTH = 0.002  # of the pods, for which another query is asked in every cycle


def weigh(
    signal: Signal,
    choice: Choice,
    prober: Prober,
    ring: Ring,
    measured: Sequence[tuple[str, str]],
    here: PodsHere | None,
    owners: Owners,
) -> Choice:
    """The choice, with further queries where they measure pods that should be and are not among the `measured`.

    What was chosen stays first, so that no pod that is measured goes from one query to another.
    """
    if len(signal.queries) == 1:
        return choice
    missing, expected = _missing(signal, measured, here)
    heard = 1.0 - int(missing.sum()) / expected if expected else 0.0
    now = ring.grid.end
    if (expected and not missing.any()) or (now - ring.weighed < HOUR and heard >= ring.heard - _FEWER):
        ring.heard = max(ring.heard, heard)
        return choice

    def wanted(namespace: str, pod: str) -> bool:
        if here is None or not expected:
            return owners.present(namespace, pod) is not None
        at = here.index.get((namespace, pod), -1)
        return at >= 0 and bool(missing[at])

    wider = prober.wider(signal, choice, wanted, max(1, round(_WORTH * expected)))
    ring.weighed, ring.heard = now, heard
    return wider


def _missing(signal: Signal, measured: Sequence[tuple[str, str]], here: PodsHere | None) -> tuple[Mask, int]:
    """[P] which pods should be measured and are not, and how many should be; none where nobody knows the pods."""
    if here is None:
        return np.zeros(0, np.bool_), 0
    missing = here.expected(of_gpus=signal.of_gpus).copy()
    expected = int(missing.sum())
    rows = here.rows(measured)
    missing[rows[rows >= 0]] = False
    return missing, expected
