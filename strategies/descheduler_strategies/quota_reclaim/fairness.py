"""Who has borrowed, who has lent, how much and since when."""

from __future__ import annotations

import numpy as np

from descheduler.contract import RebalanceView
from descheduler.model.format import quantity, span
from descheduler_strategies.elastic_quotas import ElasticQuotas

_NAMED = 3


def books(view: RebalanceView, quotas: ElasticQuotas) -> tuple[str, tuple[tuple[str, float], ...]]:
    """In words, the largest borrowers first, and as numbers: what is borrowed and lent of each resource.

    Since when somebody borrows nobody writes down; the pod that started last before use was within the guarantee tells.
    """
    resources = view.snapshot.columns.resources
    order = np.argsort(-(quotas.borrowed / np.maximum(quotas.least.sum(axis=0), 1.0)).max(axis=1), kind="stable")
    told: list[str] = []
    for quota in order[:_NAMED].tolist():
        amounts = quotas.borrowed[quota]
        if amounts.any():
            what = ", ".join(
                f"{quantity(name, int(x))} {name}" for name, x in zip(resources, amounts, strict=True) if x
            )
            told.append(f"{quotas.namespaces[quota]} has borrowed {what} for {span(_borrows_for(view, quotas, quota))}")
    numbers = tuple(
        (f"{name} {word}", float(values[at]) / (1000.0 if name == "cpu" else 1.0))
        for at, name in enumerate(resources)
        if quotas.counted[at]
        for word, values in (("borrowed", quotas.borrowed.sum(axis=0)), ("lent", quotas.lent.sum(axis=0)))
    )
    return "; ".join(told) or "nobody has borrowed", numbers


def _borrows_for(view: RebalanceView, quotas: ElasticQuotas, quota: int) -> float:
    """Seconds since the pod started that brought the quota above its guarantee, by the pods that there are."""
    columns = view.snapshot.columns
    pods = np.flatnonzero(columns.pod_live & (quotas.of_pod == quota)).astype(np.int32)
    pods = pods[np.argsort(columns.pod_started[pods], kind="stable")]
    used = np.cumsum(columns.requests(pods), axis=0)
    over = ((used > quotas.least[quota]) & quotas.counted).any(axis=1)
    return max(0.0, view.snapshot.taken_at - float(columns.pod_started[pods[int(np.argmax(over))]]))
