"""Which GPU of which node works for which pod, asked of Prometheus: on clusters whose API does not tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from descheduler.kube.devices.observed import ObservedGpu, node_names, observed_gpu, with_observed
from descheduler.model.errors import HistoryPartial
from descheduler.model.snapshot import ClusterSnapshot
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.signals import render

LABELS = (
    *("gpu", "UUID", "modelName", "GPU_I_ID", "Hostname", "hostname", "node"),
    *("exported_namespace", "exported_pod", "namespace", "pod", "pod_namespace", "pod_name"),
)
"""What tells whose a GPU is; one row for each combination is all that is asked for."""


def worth_asking(snapshot: ClusterSnapshot) -> bool:
    """Whether any node has GPUs of which the kubelet alone knows who holds which."""
    return any(node.gpus is not None and not node.gpus.steerable for node in snapshot.nodes)


def query(names: Iterable[str], match: str) -> str:
    """The question about series of any of the names; `match` as in `HistoryPolicy.match`."""
    pattern = "|".join(names)
    return render(f'count by ({", ".join(LABELS)}) ({{__name__=~"{pattern}"$match}})', 0, match)


def located(client: HistoryClient, names: Iterable[str], match: str, snapshot: ClusterSnapshot) -> ClusterSnapshot:
    """The snapshot with what series tell of devices and their holders.

    Raises:
        HistoryError: the server cannot be used, or its answer is not whole.
    """
    answer = client.query(query(names, match), int(snapshot.taken_at))
    if answer.partial:
        raise HistoryPartial("; ".join(answer.partial))
    return with_observed(snapshot, rows(snapshot, (series.labels for series in answer.series)))


def rows(snapshot: ClusterSnapshot, labels: Iterable[Mapping[str, str]]) -> tuple[ObservedGpu, ...]:
    """The rows that can be told to be of nodes of the snapshot."""
    names = node_names(snapshot.nodes)
    found = (observed_gpu(one, names) for one in labels)
    return tuple(row for row in found if row is not None)
