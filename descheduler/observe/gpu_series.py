"""Which GPU of which node works for which pod, asked of Prometheus: on clusters whose API does not tell it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from descheduler.kube.devices.observed import ObservedGpu, observed_gpu, with_observed
from descheduler.model.errors import HistoryPartial
from descheduler.model.nodes import node_names
from descheduler.model.snapshot import ClusterSnapshot
from descheduler_profiling.history.gpu_queries import GPU_ACTIVITY
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.signals import render
from descheduler_profiling.history.sources import EVERYBODY, GPUS, Sources

LABELS = (
    *("gpu", "UUID", "modelName", "GPU_I_ID", "Hostname", "hostname", "node"),
    *("exported_namespace", "exported_pod", "namespace", "pod", "pod_namespace", "pod_name"),
)
"""What tells whose a GPU is; one row for each combination is all that is asked for."""


def worth_asking(snapshot: ClusterSnapshot) -> bool:
    """Whether any node has GPUs of which the kubelet alone knows who holds which."""
    return any(node.gpus is not None and not node.gpus.steerable for node in snapshot.nodes)


def query(names: Collection[str], match: str, sources: Sources = EVERYBODY) -> str:
    """The question about series of any of the names; `match` as in `HistoryPolicy.match`.

    `sources` are of DCGM's; who measures by other names is not known.
    """
    of_dcgm = [name for name in names if name in GPU_ACTIVITY]
    others = [name for name in names if name not in GPU_ACTIVITY]
    selected = [
        f'{{__name__=~"{"|".join(some)}"{who}$match}}' for some, who in ((of_dcgm, "$gpus"), (others, "")) if some
    ]
    return render(sources.fill(f"count by ({', '.join(LABELS)}) ({' or '.join(selected)})"), 0, match)


def located(
    client: HistoryClient, names: Collection[str], match: str, snapshot: ClusterSnapshot, sources: Sources = EVERYBODY
) -> ClusterSnapshot:
    """The snapshot with what series tell of devices and their holders.

    Raises:
        HistoryError: the server cannot be used, or its answer is not whole.
    """
    answer = client.query(query(names, match, sources), int(snapshot.taken_at))
    if answer.partial:
        raise HistoryPartial("; ".join(answer.partial))
    spaces = sources.pin(GPUS).spaces
    return with_observed(snapshot, rows(snapshot, (series.labels for series in answer.series), spaces))


def rows(snapshot: ClusterSnapshot, labels: Iterable[Mapping[str, str]], spaces: str = "") -> tuple[ObservedGpu, ...]:
    """The rows that can be told to be of nodes of the snapshot, by who may speak of pods there (`Pin.spaces`)."""
    names = node_names(snapshot.nodes)
    found = ((one, observed_gpu(one, names)) for one in labels)
    return tuple(row for one, row in found if row is not None and _may_tell(snapshot, one, row.node, spaces))


def _may_tell(snapshot: ClusterSnapshot, labels: Mapping[str, str], node: str, spaces: str) -> bool:
    """Whether the pod that was scraped may speak of others: it runs where exporters do, and on the node in question."""
    if not (labels.get("exported_pod") or labels.get("pod_name")):
        return True
    namespace = labels.get("namespace", "")
    if spaces and not re.fullmatch(spaces, namespace):
        return False
    at = snapshot.pod_index.get((namespace, labels.get("pod", "")))
    return at is None or snapshot.pods[at].node == node
