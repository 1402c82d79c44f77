"""What to ask for: the signals, each with the queries that can answer for it, best first.

A query is a template: `$window` becomes the rate window, `$match` further label matchers (`,cluster="a"`), and a word
such as `$containers` those of who measures (`sources`). The pod queries return one series for each pod; where the
server knows which workload a pod belongs to, the same query is also asked already rolled up.

Sources of the names:
- recording rules `node_namespace_pod_container:container_cpu_usage_seconds_total:sum_rate5m` (older `sum_irate`) and
  `namespace_workload_pod:kube_pod_owner:relabel`: kubernetes-monitoring/kubernetes-mixin, rules/apps.libsonnet;
- `container_pressure_*`: cAdvisor in the kubelet, KEP-4205; `koordlet_*`: koordinator pkg/koordlet/metrics;
- `DCGM_FI_*`: `gpu_queries.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from descheduler_profiling.history import gpu_queries, outside_queries
from descheduler_profiling.history.defaults import CEILING

Shape = Literal["pod", "workload", "node", "outside"]
Conversion = Literal["none", "ratio", "mebibytes"]
Aggregation = Literal["mean", "max"]

_RULE = "node_namespace_pod_container:container_cpu_usage_seconds_total"
_CONTAINER = 'image!="",container!="",container!="POD"$containers$match'
_POD_LEVEL = 'pod!="",container="",image=""$containers$match'

SOURCES = ("containers", "rules", "gpus", "koordlet", "owners", "nodes")
"""The words in queries that stand for who measures; `rules` are recording rules over what measures containers."""

RollUp = Literal["auto", "always", "never"]
_OF_SOURCES = re.compile(rf"\$(?:{'|'.join(SOURCES)})\b")


def _owner_queries(pick: str) -> tuple[str, str]:
    """A pod and its owner, from the recording rule and from kube-state-metrics itself; `pick` wraps each selector.

    Bare pods have the owner <none> and static pods their node; both are workloads of their own.
    """
    rule = pick % 'namespace_workload_pod:kube_pod_owner:relabel{workload!=""$rules$match}'
    controlled = pick % 'kube_pod_owner{owner_is_controller="true",owner_kind!~"Node|<none>"$owners$match}'
    alone = pick % 'kube_pod_owner{owner_kind=~"Node|<none>"$owners$match}'
    return (
        f"max by (namespace, pod, workload, workload_type) ({rule})",
        "label_replace(label_replace(max by (namespace, pod, owner_kind, owner_name) ("
        f'{controlled} or label_replace({alone}, "owner_name", "$1", "pod", "(.*)")'
        '), "workload", "$1", "owner_name", "(.*)"), "workload_type", "$1", "owner_kind", "(.*)")',
    )


OWNER_QUERIES = _owner_queries("%s")
PAST_OWNER_QUERIES = _owner_queries("last_over_time(%s[1d])")  # of every pod that there was in the day before


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL template and the labels by which its series are told apart.

    `name` is the label of the pod, workload or node; `kind` that of the workload's type (shape `workload` only).
    Shape `outside`: the nodes are told as in `outside_queries`, and the text is that of both `parts`, neither of which
    says anything without the other; the cheaper comes first.
    """

    text: str
    shape: Shape = "pod"
    namespace: str = "namespace"
    name: str = "pod"
    kind: str = ""
    parts: tuple[str, ...] = field(default=(), repr=False)

    def render(self, window_seconds: int, match: str = "") -> str:
        """The query for one server. `match`: further matchers, e.g. `cluster="a"`."""
        return render(self.text, window_seconds, match)


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that is measured of pods.

    `queries` are tried in order, and of those that answer the first that reaches back as far as any is taken.
    `conversion`: `ratio` divides percent by 100, `mebibytes` multiplies MiB, where the numbers show that it is needed.
    `aggregation`: how the replicas of a workload become one. `ceiling`: larger values are no measurements.
    `roll_up_on_server`: whether a long range is asked for by workload; `auto` does so where single pods would be too
    much to carry, because the join costs the server twice the work. `by_pod`: the last hour of single pods is handed
    on. `of_gpus`: no cluster without GPUs has it. `owners` are the queries by which it is rolled up. `pinned`: it is
    clear whose series are read, and nobody else's are.
    """

    name: str
    unit: str
    queries: tuple[Query, ...]
    conversion: Conversion = "none"
    aggregation: Aggregation = "mean"
    ceiling: float = CEILING
    roll_up_on_server: RollUp = "auto"
    # No part of the question that a kept history answers:
    by_pod: bool = field(default=False, repr=False)
    of_gpus: bool = field(default=False, repr=False)
    owners: tuple[str, ...] = field(default=OWNER_QUERIES, repr=False)
    pinned: bool = field(default=True, repr=False)

    def rolled_up(self, query: Query, most: float = CEILING) -> tuple[Query, ...]:
        """The forms of a pod query that the server answers by workload; none where labels differ from the owner's.

        Of a pod no value above `most` is a measurement: in a mean of many it could not be told any more.
        """
        most = min(most, self.ceiling)
        if (
            self.roll_up_on_server == "never"
            or query.shape != "pod"
            or (query.namespace, query.name) != ("namespace", "pod")
        ):
            return ()
        how = "avg" if self.aggregation == "mean" else "max"
        return tuple(
            Query(
                f"{how} by (namespace, workload, workload_type) ((({query.text}) <= {most:.6g}) "
                f"* on (namespace, pod) group_left (workload, workload_type) ({owners}))",
                "workload",
                name="workload",
                kind="workload_type",
            )
            for owners in self.owners
        )


def render(text: str, window_seconds: int, match: str = "") -> str:
    """Fill a template. The first matcher of each selector is ours, so that `$match` always follows one.

    Who measures is anybody where it was not filled in before.
    """
    text = _OF_SOURCES.sub("", text)
    return text.replace("$window", f"{window_seconds}s").replace("$match", f",{match}" if match else "")


def _named(inner: str, namespace: str, pod: str, how: str = "max") -> str:
    """The series of an exporter that names pods by other labels, by `namespace` and `pod`."""
    return (
        f'{how} by (namespace, pod) (label_replace(label_replace({inner}, "namespace", "$1", "{namespace}", "(.+)"), '
        f'"pod", "$1", "{pod}", "(.+)"))'
    )


def _cpu() -> tuple[Query, ...]:
    raw = (
        "sum by (namespace, pod) (max by (namespace, pod, container) "
        f"(rate(container_cpu_usage_seconds_total{{{_CONTAINER}}}[$window])))"
    )
    old = "sum by (namespace, pod) (max by (namespace, pod, container) ({}))"
    return (
        Query(old.format(f'{_RULE}:sum_rate5m{{pod!=""$rules$match}}')),
        Query(raw),
        # Without container labels (containerd sandboxes of some clouds) only the pod's own control group is measured.
        Query(f"max by (namespace, pod) (rate(container_cpu_usage_seconds_total{{{_POD_LEVEL}}}[$window]))"),
        # irate sees the last two scrapes only; still better than nothing.
        Query(old.format(f'{_RULE}:sum_irate{{pod!=""$rules$match}}')),
    )


def _memory() -> tuple[Query, ...]:
    """The largest sample of the step: a mean would hide the peak by which a pod is killed."""
    inner = "max_over_time(container_memory_working_set_bytes{%s}[$window])"
    return (
        Query(f"sum by (namespace, pod) (max by (namespace, pod, container) ({inner % _CONTAINER}))"),
        Query(f"max by (namespace, pod) ({inner % _POD_LEVEL})"),
        Query(
            "sum by (namespace, pod) (max by (namespace, pod, container) "
            '(node_namespace_pod_container:container_memory_working_set_bytes{pod!=""$rules$match}))'
        ),
    )


def _outside(resource: str) -> tuple[Query, ...]:
    return tuple(Query(" or ".join(parts), "outside", parts=parts) for parts in outside_queries.queries(resource))


def _psi(resource: str, koordlet: str) -> tuple[Query, ...]:
    kubelet = (
        "max by (namespace, pod) "
        f'(rate(container_pressure_{resource}_waiting_seconds_total{{container!=""$containers$match}}[$window]))'
    )
    which = f'psi_resource_type="{koordlet}",psi_precision="avg10",psi_degree="some"$koordlet$match'
    koordinator = f"koordlet_pod_psi{{{which}}} / 100"
    return (Query(kubelet), Query(_named(koordinator, "pod_namespace", "pod_name")))


def _cpi() -> tuple[Query, ...]:
    """Cycles per instruction: both fields are sums of the collecting interval."""
    field_ = 'sum by (pod_namespace, pod_name) (koordlet_container_cpi{cpi_field="%s"$koordlet$match})'
    return (Query(_named(f"({field_ % 'cycles'} / {field_ % 'instructions'})", "pod_namespace", "pod_name")),)


def _of_gpus(name: str, unit: str, promql: str, conversion: Conversion, ceiling: float) -> Signal:
    return Signal(name, unit, (Query(promql),), conversion=conversion, ceiling=ceiling, by_pod=True, of_gpus=True)


def builtin_signals() -> dict[str, Signal]:
    """The signals that are known without a policy: cpu, memory, system_…, gpu, gpu_least, gpu_memory, psi_…, cpi.

    `replicas` has no query: it is counted when `cpu` is read. `system_cpu` and `system_memory` are what nodes use
    outside of pods. `gpu_least` is how busy a GPU is by the metric that says least, where `gpu` goes by the one that
    says most.
    """
    made = (
        Signal("cpu", "cores", _cpu(), ceiling=4096),
        Signal("memory", "bytes", _memory(), ceiling=2.0**47),
        Signal("replicas", "replicas", (), roll_up_on_server="never", owners=()),
        Signal("system_cpu", "cores", _outside("cpu"), ceiling=4096, roll_up_on_server="never"),
        Signal("system_memory", "bytes", _outside("memory"), ceiling=2.0**47, roll_up_on_server="never"),
        _of_gpus("gpu", "fraction", gpu_queries.activity(), "ratio", 100.0),
        _of_gpus("gpu_least", "fraction", gpu_queries.least_activity(), "ratio", 100.0),
        _of_gpus("gpu_memory", "bytes", gpu_queries.memory_used(), "mebibytes", 2.0**47),
        Signal("psi_cpu", "fraction", _psi("cpu", "cpu"), ceiling=1.5),
        Signal("psi_memory", "fraction", _psi("memory", "mem"), ceiling=1.5),
        Signal("psi_io", "fraction", _psi("io", "io"), ceiling=1.5),
        Signal("cpi", "cycles per instruction", _cpi(), ceiling=1000),
    )
    return {signal.name: signal for signal in made}


def custom_signal(
    name: str,
    promql: str,
    *,
    unit: str = "",
    shape: Shape = "pod",
    namespace_label: str = "namespace",
    name_label: str = "",
    kind_label: str = "",
    aggregation: Aggregation = "mean",
    ceiling: float = CEILING,
) -> Signal:
    """A signal of the policy. `promql` returns a series for each pod, workload or node, told apart by the labels."""
    label = name_label or {"workload": "workload", "node": "node"}.get(shape, "pod")
    kind = kind_label or ("workload_type" if shape == "workload" else "")
    query = Query(promql, shape, namespace_label, label, kind)
    return Signal(name, unit, (query,), aggregation=aggregation, ceiling=ceiling)


def with_overrides(signals: Mapping[str, Signal], overrides: Mapping[str, str | Signal]) -> dict[str, Signal]:
    """Signals with those of the policy laid over them: PromQL for a known signal keeps its unit and limits."""
    merged = dict(signals)
    for name, override in overrides.items():
        if isinstance(override, Signal):
            merged[name] = replace(override, name=name)
        elif name in merged:
            of_nodes = any(query.shape == "outside" for query in merged[name].queries)
            query = Query(override, "node", name="node") if of_nodes else Query(override)
            merged[name] = replace(merged[name], queries=(query,))
        else:
            merged[name] = custom_signal(name, override)
    return merged
