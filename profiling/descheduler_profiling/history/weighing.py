"""Is there another query for the pods that the chosen one does not measure? Asked when some are missing, at times."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

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
    measured: Set[tuple[str, str]],
    here: PodsHere | None,
    owners: Owners,
) -> Choice:
    """The choice, with further queries where they measure pods that should be and are not.

    What was chosen stays first, so that no pod that is measured goes from one query to another.
    """
    if len(signal.queries) == 1:
        return choice
    expected = _expected(signal, here)
    missing = {pod for pod in expected if pod not in measured}
    heard = 1.0 - len(missing) / len(expected) if expected else 0.0
    now = ring.grid.end
    if (expected and not missing) or (now - ring.weighed < HOUR and heard >= ring.heard - _FEWER):
        ring.heard = max(ring.heard, heard)
        return choice

    def wanted(namespace: str, pod: str) -> bool:
        return (namespace, pod) in missing if expected else owners.present(namespace, pod) is not None

    wider = prober.wider(signal, choice, wanted, max(1, round(_WORTH * len(expected))))
    ring.weighed, ring.heard = now, heard
    return wider


def _expected(signal: Signal, here: PodsHere | None) -> set[tuple[str, str]]:
    """The pods that should be measured; none where nobody knows them."""
    if here is None:
        return set()
    wanted = set(np.flatnonzero(here.expected(of_gpus=signal.of_gpus)).tolist())
    return {pod for pod, at in here.index.items() if at in wanted}
