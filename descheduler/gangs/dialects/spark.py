"""Spark on Kubernetes: executors come and go, the driver is in the never-evict registry of the filters.

Source: apache/spark resource-managers/kubernetes/core Constants.scala.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.gangs.lookup import Lookup
from descheduler.gangs.vocabulary import BaseDialect, GangKey, Rank, Terms
from descheduler.model.pods import Pod
from descheduler.model.units import DisruptionMode

APP, ROLE = "spark-app-selector", "spark-role"


class Spark(BaseDialect):
    """The driver asks for lost executors again, so one pod of an application is enough."""

    name = "spark"
    rank = Rank.OWNER
    labels = frozenset({APP})

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        del lookup
        name = pod.labels.get(APP)
        return (GangKey(self.name, pod.namespace, name),) if name and ROLE in pod.labels else ()

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        del gang, members, lookup
        return Terms(1, DisruptionMode.PER_POD)
