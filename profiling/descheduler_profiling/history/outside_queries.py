"""What is asked of a server to learn what runs on a node outside of its pods: of its whole, and of all its pods.

The whole node is the root control group (cAdvisor, id="/": the kubelet evicts by it), else what node-exporter reads in
/proc. Its pods are together in the kubelet's control group (`kubepods`, pkg/kubelet/cm in kubernetes), else they are
summed as signals of pods are. Of memory both are the largest sample of the step, as in those signals: what the pods'
own series are given too much by, is missing here, and the sum is the node's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OUTSIDE: Final[Mapping[str, str]] = {"cpu": "system_cpu", "memory": "system_memory"}
"""By resource, the signal of how much of it nodes use outside of pods."""
RESOURCE: Final[Mapping[str, str]] = {signal: resource for resource, signal in OUTSIDE.items()}
WHOLE: Final = {
    "system_cpu": ("container_cpu_usage_seconds_total", "node_cpu_seconds_total"),
    "system_memory": ("container_memory_working_set_bytes", "node_memory_MemAvailable_bytes"),
}
"""By signal, what tells of whole nodes: cAdvisor's metric (id="/"), and node-exporter's."""
ROOT, HOST, PODS = "root", "host", "pods"
"""Values of the label `part`, by which the series of one answer are told apart."""
NODE_LABELS: Final = ("node", "kubernetes_io_hostname", "nodename", "instance")
"""Labels that may say which node a series is of, the plainest first."""
PLACE: Final = ", ".join(NODE_LABELS)
KUBEPODS: Final = r"(.*[/-])kubepods(\\.slice)?"
"""The control groups of all pods, as systemd and cgroupfs have them, and below a root of the kubelet's."""
_TOGETHER: Final = f'id=~"{KUBEPODS}"$containers$match'
_ROOT: Final = 'id="/"$containers$match'
_CONTAINER: Final = 'image!="",container!="",container!="POD"$containers$match'
_POD_LEVEL: Final = 'pod!="",container="",image=""$containers$match'
_RULES: Final = {
    "cpu": "node_namespace_pod_container:container_cpu_usage_seconds_total:sum_rate5m",
    "memory": "node_namespace_pod_container:container_memory_working_set_bytes",
}
_USED: Final = {
    "cpu": "rate(container_cpu_usage_seconds_total{%s}[$window])",
    "memory": "max_over_time(container_memory_working_set_bytes{%s}[$window])",
}
_EXPORTED: Final = {
    # Stolen time is another machine's; node-mixin counts these three as not used, too.
    "cpu": f"sum by ({PLACE}, namespace, pod) (max by ({PLACE}, namespace, pod, cpu, mode) "
    '(rate(node_cpu_seconds_total{mode!~"idle|iowait|steal"$nodes$match}[$window])))',
    "memory": f'max by ({PLACE}, namespace, pod) (max_over_time(node_memory_MemTotal_bytes{{job!=""$nodes$match}}'
    f"[$window])) - max by ({PLACE}, namespace, pod) "
    '(min_over_time(node_memory_MemAvailable_bytes{job!=""$nodes$match}[$window]))',
}


def queries(resource: str) -> tuple[tuple[str, str], ...]:
    """Templates of the parts of each query, the best first: of whole nodes, and of all their pods together."""
    used = _USED[resource]
    root = _part(f"max by ({PLACE}) ({used % _ROOT})", ROOT)
    whole = f"{root} or {_part(_EXPORTED[resource], HOST)}"
    each = f"sum by ({PLACE}) (max by ({PLACE}, namespace, pod, container) (%s))"
    pods = (
        each % (used % _POD_LEVEL),  # knows pods whose containers have no labels, too
        each % (used % _CONTAINER),
        each % f'{_RULES[resource]}{{pod!=""$rules$match}}',
    )
    together = _part(f"max by ({PLACE}) ({used % _TOGETHER})", PODS)
    return (root, together), *((whole, _part(one, PODS)) for one in pods)


def _part(promql: str, name: str) -> str:
    return f'label_replace({promql}, "part", "{name}", "", "")'
