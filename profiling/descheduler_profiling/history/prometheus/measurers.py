"""Who measures here, found by asking the server which jobs have series of each kind, and of how many pods.

A job is believed by its name, and by what no tenant can have: without honouring labels, a target can speak of no pods
but its own under `pod`, and its namespace is in `namespace`. So a name alone is nothing: who is believed for its job
measures most of the pods that there are, and exporters of GPUs that speak of pods as `exported_pod` run in a namespace
of the system.

Names: job `kubelet` with `metrics_path` in kube-prometheus, prometheus-engine, OpenShift and VictoriaMetrics;
`kubernetes-nodes-cadvisor` in prometheus-community/prometheus; `integrations/kubernetes/cadvisor` in
grafana/k8s-monitoring-helm; `nvidia-dcgm-exporter` in namespace gpu-operator in NVIDIA/gpu-operator.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from descheduler.model.errors import HistoryError, HistoryPartial, HistoryRefused
from descheduler_profiling.history.gpu_queries import GPU_ACTIVITY
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.pods_here import PodsHere
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.failures import TooMuch
from descheduler_profiling.history.prometheus.wire import Series
from descheduler_profiling.history.signals import Signal, render
from descheduler_profiling.history.sources import (
    CONTAINERS,
    GPUS,
    KOORDLET,
    NODES,
    OWNERS,
    KnownPins,
    Pin,
    Sources,
    escaped,
    kinds_of,
    one_of,
    written_pins,
)
from descheduler_profiling.settings import HOUR

_JOBS: Final = {
    CONTAINERS: re.compile(r"(?:.*[^a-z])?(?:kubelet|cadvisor)(?:[^a-z].*)?", re.IGNORECASE),
    GPUS: re.compile(r".*(?:dcgm|nvidia|gpu).*", re.IGNORECASE),
    KOORDLET: re.compile(r".*koordlet.*", re.IGNORECASE),
    OWNERS: re.compile(r".*kube-?state-?metrics.*", re.IGNORECASE),
    NODES: re.compile(r".*node-?_?exporter.*", re.IGNORECASE),
}
_PATH: Final = re.compile(r".*/cadvisor")
_SYSTEM: Final = re.compile(
    r"kube-.+|openshift-.+|gke-managed-.+|gmp-.+|gke-gmp-system|gpu-operator|nvidia-gpu-operator|gpu-operator-resources"
    r"|gpu-resources|nvidia-dcgm|dcgm-exporter|koordinator-system|monitoring|amazon-cloudwatch|cattle-monitoring-system"
)
"""Namespaces that are no tenant's: those that Kubernetes, distributions and the installers of exporters use."""
_NOWHERE: Final = "-"  # no namespace is called so
_NAMESPACE: Final = re.compile(r"[a-z0-9-]*")
_MOST, _ENOUGH = 0.8, 0.5  # of the pods that should be measured: with which no further names are looked at; the least
_FEW: Final = 0.1  # the least of those with GPUs: not every node has an exporter
_TOLD: Final = 20

_COUNT: Final = "count by (job, metrics_path) (count by (job, metrics_path, namespace, pod) (%s))"
_TARGETS: Final = (
    'count by (job, namespace, scraped) (label_replace(count by (job, namespace, pod) (%s), "scraped", "yes", "", ""))'
)


def _gpus(matchers: str) -> str:
    return f'{{__name__=~"{"|".join(GPU_ACTIVITY)}",{matchers}$match}}$back'


_ASKED: Final = {
    CONTAINERS: " or ".join(
        _COUNT % f'{metric}{{pod!=""$match}}$back'
        for metric in ("container_cpu_usage_seconds_total", "container_memory_working_set_bytes")
    ),
    OWNERS: _COUNT % 'kube_pod_owner{pod!=""$match}$back',
    GPUS: " or ".join(
        (
            _COUNT % _gpus('exported_pod="",pod_name="",pod!=""'),
            _TARGETS % " or ".join(map(_gpus, ('exported_pod!=""', 'pod_name!=""'))),
        )
    ),
    KOORDLET: _TARGETS
    % " or ".join(f'{m}{{pod_name!=""$match}}$back' for m in ("koordlet_pod_psi", "koordlet_container_cpi")),
    NODES: _TARGETS % 'node_memory_MemTotal_bytes{job!=""$match}$back',
}
"""How many pods each one measures (of those with `scraped`: how many pods of its own do so), at a time."""


@dataclass(frozen=True, slots=True)
class Measurer:
    """Who has series of a kind: labels of its targets, and the pods that it measures (`scraped`: its own pods).

    `scraped`: it speaks of others' pods under other labels than `pod`, and `namespace` is where it runs. `then`: it was
    there when the window began.
    """

    job: str
    path: str
    namespace: str
    pods: int
    scraped: bool
    then: bool

    @property
    def name(self) -> str:
        """In the words of a selector."""
        told = {"job": self.job, "metrics_path": self.path, "namespace": self.namespace}
        return ",".join(f'{label}="{value}"' for label, value in told.items() if value) or "no job"


def find_sources(
    client: HistoryClient,
    signals: Iterable[Signal],
    grid: Grid,
    match: str,
    written: Mapping[str, str],
    known: KnownPins | None = None,
    here: PodsHere | None = None,
) -> Sources:
    """Who measures what the signals are made from: as it is `written` (matchers by kind), else as it is found.

    What was found is `known` for an hour, and longer where the server does not answer now. Of a kind about which it
    never answers, everybody's series are read.

    Raises:
        HistoryError: it is not known, and cannot be found out now.
    """
    pins = written_pins(written)
    found = (known or KnownPins()).of(repr((client.connection.name, match)))
    for kind in kinds_of(signals):
        if kind in pins:
            continue
        at, pin = found.get(kind, (0, Pin()))
        lasting = pin.sure or kind not in (CONTAINERS, GPUS)
        if not (lasting and 0 <= grid.end - at < HOUR):
            try:
                expected = int(here.expected(of_gpus=kind == GPUS).sum()) if here is not None else None
                pin = find_pin(client, kind, grid.end, grid.end - grid.start, match, expected)
                found[kind] = grid.end, pin
            except (HistoryRefused, TooMuch):
                pin = Pin()
            except HistoryError:
                if kind not in found:
                    raise
        pins[kind] = pin
    return Sources(pins)


def find_pin(client: HistoryClient, kind: str, at: int, back: int, match: str, expected: int | None) -> Pin:
    """Whose series of a kind count at a time, or `back` seconds before; `expected`: of how many pods there
    should be; by default of as many as there are.

    Raises:
        HistoryError: as `HistoryClient.query` does.
    """
    now, then = (_ASKED[kind].replace("$back", offset) for offset in ("", f" offset {back}s"))
    answer = client.query(render(f'{now} or label_replace({then}, "then", "yes", "", "")', 0, match), at)
    if answer.partial:
        raise HistoryPartial(f"{client.connection.name} answers in part only: {'; '.join(answer.partial)}")
    found = [_measurer(one) for one in answer.series]
    if expected is None:
        expected = _pods(one for one in found if not one.scraped)
    believed, sure = _believed(kind, found, expected)
    others = _told(one for one in found if one not in believed)
    return replace(_pin(kind, believed), sure=sure, left_out=others) if believed else Pin(left_out=others)


def _measurer(one: Series) -> Measurer:
    def label(name: str) -> str:
        return one.labels.get(name, "")

    scraped = bool(label("scraped"))
    return Measurer(
        label("job"), label("metrics_path"), label("namespace"), int(one.values[0]), scraped, bool(label("then"))
    )


def _believed(kind: str, found: Collection[Measurer], expected: int) -> tuple[set[Measurer], bool]:
    """Those who are believed, and whether a tenant could not be one of them."""
    known = {one for one in found if _JOBS[kind].fullmatch(one.job)}
    if kind in (GPUS, KOORDLET):
        system = {one for one in found if one.scraped and one.job and _SYSTEM.fullmatch(one.namespace)}
        if kind == KOORDLET:
            return known & system, True
        plain = {one for one in known if not one.scraped}
        trusted = system | (plain if _measure(plain, expected, _FEW) else set())
        return (trusted, True) if trusted else (_most_targets(known - plain), False)
    if kind == NODES:  # outside of the cluster's namespaces a target is what the server's own configuration says
        named = {one for one in known if not one.namespace}
        trusted = named | {one for one in found if one.job and _SYSTEM.fullmatch(one.namespace)}
        return (trusted, True) if trusted else (_most_targets(found), False)
    by_path = {one for one in found if one.job and _PATH.fullmatch(one.path)}
    ranks = (known & by_path, known, by_path)
    now = {one for one in found if not one.then}
    chosen = _best([rank & now for rank in ranks], expected)
    if chosen or not _measure(now, expected, _ENOUGH):  # those of before count, too, but not where others took over
        chosen |= _best([rank - now for rank in ranks], expected)
    return chosen, bool(chosen)


def _best(ranks: Iterable[set[Measurer]], expected: int) -> set[Measurer]:
    """Those of the first ranks, as many as it takes for most of the pods; nobody where all are too few."""
    chosen: set[Measurer] = set()
    for rank in ranks:
        if not _measure(chosen, expected, _MOST):
            chosen |= rank
    return chosen if _measure(chosen, expected, _ENOUGH) else set()


def _measure(measurers: Collection[Measurer], expected: int, share: float) -> bool:
    """Whether they measure that share of the pods."""
    return bool(measurers) and _pods(measurers) >= share * expected


def _pods(measurers: Iterable[Measurer]) -> int:
    """How many pods they measure, now or when the window began."""
    counts = Counter[bool]()
    for one in measurers:
        counts[one.then] += one.pods
    return max(counts.values(), default=0)


def _most_targets(scraped: Iterable[Measurer]) -> set[Measurer]:
    """Of exporters in namespaces that nobody knows, those in the one with most of them."""
    by_space: dict[str, set[Measurer]] = defaultdict(set)
    for one in scraped:
        if _NAMESPACE.fullmatch(one.namespace):
            by_space[one.namespace].add(one)
    return (
        min(by_space.items(), key=lambda item: (-sum(one.pods for one in item[1]), item[0]))[1] if by_space else set()
    )


def _pin(kind: str, believed: Collection[Measurer]) -> Pin:
    jobs, paths = (tuple(sorted({getattr(one, label) for one in believed})) for label in ("job", "path"))
    spaces = tuple(sorted({one.namespace for one in believed if one.scraped}))
    matchers = [one_of("job", jobs)]
    if kind == CONTAINERS and any(paths):
        matchers.append(one_of("metrics_path", paths))
    if kind in (KOORDLET, NODES):
        matchers.append(one_of("namespace", spaces))
    exported = "|".join(spaces) if spaces else _NOWHERE
    return Pin(",".join(matchers), exported if kind == GPUS else "", jobs="|".join(map(escaped, jobs)))


def _told(measurers: Iterable[Measurer]) -> tuple[tuple[str, int], ...]:
    now = sorted(((one.name, one.pods) for one in measurers if not one.then), key=lambda told: (-told[1], told[0]))
    return tuple(now[:_TOLD])
