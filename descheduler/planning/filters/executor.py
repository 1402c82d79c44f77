"""What no executor of the policy can move: a plan promises nothing that could not be carried out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from descheduler.model.arrays import Mask
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.context import Filter, FilterContext
from descheduler.planning.ways import as_remade


def executor_filter(context: FilterContext, open_pods: Mask) -> Iterator[Filter]:
    """`open_pods` [P] are those that nothing else stops; only they are asked about, as what they will be made again."""
    refuses = context.policy.executor
    if refuses is None:
        return
    found: dict[int, Blocked] = {}
    for pod in np.flatnonzero(open_pods).tolist():
        blocked = refuses(as_remade(context.snapshot, pod))
        if blocked is not None:
            found[pod] = blocked
    mask = context.nobody()
    mask[list(found)] = True
    yield Filter(Reason.EXECUTOR, mask, found.__getitem__)
