"""Signs that more is wanted than is used: CPU limits that stop pods, and nodes on which tasks wait (PSI).

Asked of the last minutes alone, and for what is large: two small answers a cycle, where histories of every pod would
cost as much as that of its CPU. Without an answer nothing is known of it, which is no fault.

A limit stops its pod when the periods of the CFS quota run out: kubernetes-mixin warns from a quarter of them
(CPUThrottlingHigh). Pressure is the share of time in which at least one task waited (kernel, Documentation/accounting/
psi.rst; KEP-4205 for control groups of the kubelet); systemd-oomd acts from 60 % (DefaultMemoryPressureLimit). A task
that a limit stops waits, too, and on no other node it would wait less: of pressure on CPU that much is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from descheduler.model.errors import HistoryError
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.outside_queries import KUBEPODS, PLACE
from descheduler_profiling.history.owners import Owners
from descheduler_profiling.history.pods_here import PodsHere, node_of
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.wire import Series
from descheduler_profiling.history.signals import render
from descheduler_profiling.history.sources import Sources
from descheduler_profiling.series import Strain

SIGNALS: Final = ("cpu", "memory")
_THROTTLED, _PRESSED = 0.25, 0.6
_PERIODS: Final = (
    'sum by (namespace, pod, container) (increase(container_cpu_cfs_%speriods_total{pod!=""$containers$match}[15m]))'
)
_OF_NODES: Final = (
    f"sum by ({PLACE}) (max by ({PLACE}, namespace, pod, container) (rate("
    'container_cpu_cfs_throttled_periods_total{container!=""$containers$match}[15m]) / '
    '(rate(container_cpu_cfs_periods_total{container!=""$containers$match}[15m]) > 0)))'
)
_STOPPED: Final = f"max by (namespace, pod) ({_PERIODS % 'throttled_'} / ({_PERIODS % ''} > 0)) >= {_THROTTLED}"


def _pressure(signal: str) -> str:
    exported = f'node_pressure_{signal}_waiting_seconds_total{{job!=""$nodes$match}}'
    groups = f'container_pressure_{signal}_waiting_seconds_total{{id=~"/|{KUBEPODS}"$containers$match}}'
    waiting = (f"max by ({PLACE}, namespace, pod) (rate({one}[15m])) >= {_PRESSED}" for one in (exported, groups))
    return " or ".join(waiting)


def strain_of(
    client: HistoryClient, signal: str, at: int, match: str, sources: Sources, owners: Owners, here: PodsHere
) -> Strain:
    """What is known at a time (Unix seconds) of demand for the resource that a signal measures."""
    throttled: dict[WorkloadKey, float] = {}
    for one in _answer(client, _STOPPED, at, match, sources) if signal == "cpu" else ():
        owner = owners.present(one.labels.get("namespace", ""), one.labels.get("pod", ""))
        if owner is not None:
            throttled[owner] = max(throttled.get(owner, 0.0), min(1.0, float(one.values[0])))
    pressed = _by_node(_answer(client, _pressure(signal), at, match, sources), here)
    if pressed and signal == "cpu":
        stopped = _by_node(_answer(client, _OF_NODES, at, match, sources), here)
        pressed = {n: share for n, share in pressed.items() if share - stopped.get(n, 0.0) >= _PRESSED}
    return Strain(throttled, {node: min(1.0, share) for node, share in pressed.items()})


def _by_node(answer: Iterable[Series], here: PodsHere) -> dict[str, float]:
    """The largest value of each node."""
    found: dict[str, float] = {}
    for one in answer:
        node = node_of(one.labels, here)
        if node:
            found[node] = max(found.get(node, 0.0), float(one.values[0]))
    return found


def _answer(client: HistoryClient, promql: str, at: int, match: str, sources: Sources) -> Iterator[Series]:
    try:
        answer = client.query(render(sources.fill(promql), 0, match), at)
    except HistoryError:
        return
    if not answer.partial:
        yield from answer.series
