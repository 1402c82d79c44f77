"""What no executor of the policy can move: a plan promises nothing that could not be carried out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from descheduler.model.arrays import Mask
from descheduler.model.reasons import Reason
from descheduler.planning.alike import alike
from descheduler.planning.filters.context import Filter, FilterContext
from descheduler.planning.ways import as_remade


def executor_filter(context: FilterContext, open_pods: Mask) -> Iterator[Filter]:
    """`open_pods` [P] are those that nothing else stops; only they are asked about, once of those that
    are alike, as what they will be made again."""
    refuses = context.policy.executor
    if refuses is None:
        return
    looks = alike(context.snapshot)
    _, first = np.unique(looks[open_pods], return_index=True)
    answers = {
        int(looks[pod]): blocked
        for pod in np.flatnonzero(open_pods)[first].tolist()
        if (blocked := refuses(as_remade(context.snapshot, pod))) is not None
    }
    mask = open_pods & np.isin(looks, list(answers))
    yield Filter(Reason.EXECUTOR, mask, lambda pod: answers[int(looks[pod])])
