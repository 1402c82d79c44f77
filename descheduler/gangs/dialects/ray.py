"""KubeRay: a cluster loses workers down to its minimum; the hosts of one multi-host replica are one gang.

Source: kuberay ray-operator/apis/ray/v1/raycluster_types.go, controllers/ray/utils/constant.go. The head is in the
never-evict registry of the filters.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.gangs.lookup import Lookup
from descheduler.gangs.spec_reading import child, children, integer
from descheduler.gangs.vocabulary import BaseDialect, GangKey, Rank, Terms
from descheduler.model.fence import fenced
from descheduler.model.objects import CustomObject, Json
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked
from descheduler.model.units import Consequence, DisruptionMode

GROUP = "ray.io"
CLUSTER, WORKERS = "ray.io/cluster", "ray.io/group"
REPLICA = "ray.io/worker-group-replica-name"
GANG = "ray.io/gang-scheduling-enabled"


class Ray(BaseDialect):
    name = "ray"
    rank = Rank.OWNER
    labels = frozenset({CLUSTER})

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        cluster = pod.labels.get(CLUSTER)
        if not cluster:
            return ()
        replica = pod.labels.get(REPLICA)
        found = lookup.find(GROUP, "RayCluster", pod.namespace, cluster)
        if replica and isinstance(found, CustomObject) and _several_hosts(found, pod.labels.get(WORKERS)):
            return (GangKey(self.name, pod.namespace, f"{cluster}/{replica}"),)
        return (GangKey(self.name, pod.namespace, cluster),)

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        cluster, _, replica = gang.name.partition("/")
        found = lookup.find(GROUP, "RayCluster", gang.namespace, cluster)
        if isinstance(found, Blocked):
            return Terms(blocked=found)
        if replica:
            hosts = _hosts_of(found, members[0].labels.get(WORKERS))
            return Terms(hosts, DisruptionMode.WHOLE, Consequence.GROUP_RESTARTS)
        single = [g for g in children(found.spec, "workerGroupSpecs") if _hosts(g) == 1]
        minimum = 1 + sum(integer(child(g, "minReplicas")) or 0 for g in single)
        ganged = any(marks.get(GANG) == "true" for marks in (found.labels, *(p.labels for p in members)))
        return Terms(minimum, None if ganged else DisruptionMode.PER_POD)


def _several_hosts(cluster: CustomObject, group: str | None) -> bool:
    """Whether a replica of the group is a gang; one whose hosts cannot be told is, and then it cannot be resolved."""
    return fenced(lambda: _hosts_of(cluster, group) > 1, lambda _why: True)


def _hosts(group: Json) -> int:
    return integer(child(group, "numOfHosts")) or 1


def _hosts_of(cluster: CustomObject, group: str | None) -> int:
    named = (g for g in children(cluster.spec, "workerGroupSpecs") if child(g, "groupName") == group)
    return max((_hosts(g) for g in named), default=1)
