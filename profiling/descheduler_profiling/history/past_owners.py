"""Whose the pods of the past were, as the server remembers it."""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.model.errors import HistoryError
from descheduler_profiling.history.owners import Owners
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.wire import QueryAnswer
from descheduler_profiling.history.signals import PAST_OWNER_QUERIES, render
from descheduler_profiling.history.sources import Sources


def learn_owners(client: HistoryClient, owners: Owners, days: Sequence[int], match: str, sources: Sources) -> list[str]:
    """Ask once for each day (Unix seconds of its end), of the first source that knows any; what went wrong.

    It also tells what the server's workloads are called by us: CronJobs for their Jobs, custom controllers for what
    they own.
    """
    remarks: list[str] = []
    for query in PAST_OWNER_QUERIES:
        rows: list[tuple[str, str, str, str]] = []
        try:
            for day in days:
                rows.extend(_owner_rows(client.query(render(sources.fill(query), 0, match), day)))
                if not rows:
                    break
        except HistoryError as error:
            remarks.append(f"owners of past pods are told by names: {error}")
        owners.learn_reported(rows)
        if rows:
            break
    return remarks


def _owner_rows(answer: QueryAnswer) -> list[tuple[str, str, str, str]]:
    wanted = ("namespace", "pod", "workload_type", "workload")
    found = (tuple(one.labels.get(label, "") for label in wanted) for one in answer.series)
    return [(namespace, pod, kind, name) for namespace, pod, kind, name in found if name]
