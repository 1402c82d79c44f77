"""The gauge of each source: requests, metrics-server, a Prometheus query, our forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import numpy as np

from descheduler.contract import Needs, RebalanceView
from descheduler.model.arrays import Floats, Ints
from descheduler.model.nodes import node_names
from descheduler.model.pods import amount_of
from descheduler.model.reasons import Blocked, Reason
from descheduler_strategies.node_utilization.args import METRIC, LowNodeUtilizationArgs
from descheduler_strategies.node_utilization.gauges import Forecast, Gauge, Sums

OLD = 300.0
"""Seconds after which a sample of metrics-server tells nothing any more. It takes one every 15 (its flag
--metric-resolution), and its memory outlives a kubelet that answers no more."""


def needs_of_source(args: LowNodeUtilizationArgs) -> Needs:
    """What must be read for the source that the arguments name."""
    match args.source:
        case "KubernetesMetrics":
            return Needs(metrics=True)
        case "Prometheus":
            return Needs(queries={_signal(args.query): args.query})
        case "forecast":
            return Needs(signals=tuple(name for name in args.thresholds if name != "pods"))
    return Needs()


def _signal(query: str) -> str:
    """The name of the signal that the query is."""
    return f"query_{sha256(query.encode()).hexdigest()[:12]}"


def gauge_of(view: RebalanceView, args: LowNodeUtilizationArgs) -> Gauge | Blocked:
    """How full nodes are by the source that the arguments name; or why nobody knows."""
    resources = tuple(args.thresholds)
    match args.source:
        case "KubernetesMetrics":
            return _metrics_server(view, resources)
        case "Prometheus":
            return _queried(view, _signal(args.query))
        case "forecast":
            missing = [name for name in resources if name != "pods" and name not in view.loads]
            if missing or args.metrics_utilization is None:
                return Blocked(Reason.DATA_MISSING, "history", f"no usable history of {', '.join(missing)}")
            of = args.metrics_utilization.forecast
            return Forecast(view, resources, requested(view, resources), of.quantile, of.horizon.total_seconds())
    return requested(view, resources)


def requested(view: RebalanceView, resources: tuple[str, ...]) -> Sums:
    """By what pods request."""
    columns = view.snapshot.columns
    at = [columns.resource(name) for name in resources]
    capacity, used = (_columns(of, at) for of in (columns.allocatable, columns.requested))
    specs = _columns(columns.spec_requests, at)
    return Sums(view, "requests", resources, capacity, used, specs[columns.pod_spec], specs[columns.pod_remade])


def _columns(amounts: Ints, at: list[int]) -> Floats:
    """[X, K] the named columns of amounts [X, R]; zeros where nobody offers or asks for it."""
    out = np.zeros((len(amounts), len(at)))
    for column, found in enumerate(at):
        if found >= 0:
            out[:, column] = amounts[:, found]
    return out


def _metrics_server(view: RebalanceView, resources: tuple[str, ...]) -> Gauge | Blocked:
    """By what metrics-server measured of nodes and pods. Nodes without a fresh sample are left out, and so are pods."""
    snapshot, columns = view.snapshot, view.snapshot.columns
    samples = snapshot.metrics
    if samples is None or samples.problem:
        why = samples.problem if samples is not None else "it was not read"
        return Blocked(Reason.DATA_MISSING, "metrics.k8s.io", why)
    fresh = {name: one.usage for name, one in samples.nodes.items() if abs(snapshot.taken_at - one.at) <= OLD}
    if not fresh:
        return Blocked(Reason.DATA_STALE, "metrics.k8s.io", f"no node has a sample of the last {OLD:.0f} seconds")
    capacity = _columns(columns.allocatable, [columns.resource(name) for name in resources])
    used = np.full(capacity.shape, np.nan)
    for at, node in enumerate(snapshot.nodes):
        if node.name in fresh:
            used[at] = [amount_of(fresh[node.name], name) for name in resources]
    pods = np.full((len(snapshot.pods), len(resources)), np.nan)
    index = snapshot.pod_index
    for key, one in samples.pods.items():
        found = index.get(key, -1)
        if found >= 0 and abs(snapshot.taken_at - one.at) <= OLD:
            pods[found] = [amount_of(one.usage, name) for name in resources]
    for column in (at for at, name in enumerate(resources) if name == "pods"):
        counts = np.bincount(columns.pod_node[columns.order], minlength=len(used))
        used[:, column] = np.where(np.isnan(used).all(axis=1), np.nan, counts)
        pods[:, column] = 1.0
    return Sums(view, "metrics-server", resources, capacity, used, pods, pods)


def _queried(view: RebalanceView, signal: str) -> Gauge | Blocked:
    """By the newest point of a query. What a pod takes of it nobody knows; as large a part as it requests of its node
    is a guess that tells large pods from small ones."""
    history = view.usage.get(signal)
    if history is None or not history.keys:
        return Blocked(Reason.DATA_MISSING, f"history/{signal}", "no usable answer to the query")
    names, index = node_names(view.snapshot.nodes), view.snapshot.node_index
    used = np.full((len(view.snapshot.nodes), 1), np.nan)
    for key, value in zip(history.keys, history.values[:, -1].tolist(), strict=True):
        at = index.get(_called(key.name, names), -1)
        if at >= 0 and 0.0 <= value <= 1.0:
            used[at] = value
    if np.isnan(used).all():
        return Blocked(Reason.DATA_MISSING, f"history/{signal}", "no value between 0 and 1 is of a node that is here")
    columns = view.snapshot.columns
    size = np.maximum(columns.allocatable[:, :1], 1).astype(np.float64)  # one percent of a larger node is more
    used *= size
    taken = np.nan_to_num(used)[np.maximum(columns.pod_node, 0)] * _shares(view)[:, None]
    return Sums(view, "query", (METRIC,), size, used, taken, taken, counts_pods=False)


def _called(instance: str, names: Mapping[str, str]) -> str:
    """The node that a target is of: it is called by a name or an address of it, with a port perhaps."""
    return names.get(instance) or names.get(instance.rpartition(":")[0].strip("[]"), "")


def _shares(view: RebalanceView) -> Floats:
    """[P] which part of what is requested of its node a pod requests: the larger of those of CPU and memory."""
    columns = view.snapshot.columns
    asked = columns.spec_requests[columns.pod_spec, :2].astype(np.float64)
    of_node = columns.requested[np.maximum(columns.pod_node, 0), :2].astype(np.float64)
    parts = np.divide(asked, of_node, out=np.zeros(asked.shape), where=of_node > 0)
    count = np.bincount(columns.pod_node[columns.order], minlength=len(view.snapshot.nodes))
    least = 1.0 / np.maximum(count, 1)[np.maximum(columns.pod_node, 0)]
    found: Floats = np.maximum(parts.max(axis=1), np.where(parts.any(axis=1), 0.0, least))
    return found
