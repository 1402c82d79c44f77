"""What a text in a policy is the name of, so that a misspelt one can be told: a key that nobody knows would switch off
what it is for, and say nothing.

Every text that a user may choose freely is of one of these types, or of `Free`, which is nobody's name. What exists is
known in part without a cluster (`descheduler.policy.naming`), in full with one (`descheduler.doctor.against`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field


class Names(StrEnum):
    """What a text names, as people call it."""

    LOAD = "resource that is forecast"
    RESOURCE = "resource"
    SIGNAL = "built-in signal"
    READ_KIND = "kind that is read"
    OWNER_KIND = "kind of controller"
    NAMESPACE = "namespace"
    SCHEDULER = "scheduler"
    STORAGE_CLASS = "storage class"
    PRIORITY_CLASS = "priority class"
    NODE_LABEL = "node label"
    POD_LABEL = "pod label"
    POOL = "pool"
    TAINT = "taint"
    QUERY = "query"
    FREE = "text"


_Text = Annotated[str, Field(min_length=1, max_length=253)]
Load = Annotated[_Text, Names.LOAD]
Resource = Annotated[_Text, Names.RESOURCE]
SignalName = Annotated[_Text, Names.SIGNAL]
ReadKind = Annotated[_Text, Names.READ_KIND]
OwnerKind = Annotated[_Text, Names.OWNER_KIND]
NamespacePattern = Annotated[_Text, Names.NAMESPACE]
SchedulerName = Annotated[_Text, Names.SCHEDULER]
StorageClassName = Annotated[_Text, Names.STORAGE_CLASS]
PriorityClassName = Annotated[_Text, Names.PRIORITY_CLASS]
NodeLabel = Annotated[_Text, Names.NODE_LABEL]
PodLabel = Annotated[_Text, Names.POD_LABEL]
PoolName = Annotated[_Text, Names.POOL]
TaintName = Annotated[_Text, Names.TAINT]
PromQL = Annotated[str, Field(min_length=1), Names.QUERY]
Free = Annotated[str, Names.FREE]
