"""How much one object may say. What goes beyond is that object's problem; nothing is cut to size in silence.

A bound is what Kubernetes' own types hold, where they bound it, else far more than any cluster has, and little enough
that sums and arrays over a whole cluster hold it.
"""

from __future__ import annotations

import re

INT32 = 2**31 - 1
"""Replicas, minima of gangs, priorities, weights, ports: `int32` in the API's types."""

INT64 = 2**63 - 1
"""Grace periods, deadlines, generations: `int64`; also what a quantity is capped at, as the API server does."""

AMOUNT = 2**50
"""Of one resource (bytes, millicores or units), for a node, a pod, a volume: 1 PiB of memory, 10^12 cores. The largest
machines have 32 TiB. Eight thousand such amounts still add up within an int64."""

GPU_UNITS = 10_000
"""Of GPUs that a node offers or a pod asks for: 64 devices on which 128 pods each take turns are 8,192."""

QUANTITY_TEXT = 64
"""Characters of a quantity. The API server writes at most 30 (19 digits, a point, nine decimals)."""

DEPTH = 100
"""Levels of JSON below one another. A pod template within a job within a custom resource has 25."""

LEVELS = 32
"""Of a network's topology, or of HyperNodes below one another. Networks have three to five; topograph numbers ten."""

OWNERS = 32
"""Controllers above one another that are followed. Platforms on top of platforms have six."""

UNOFFERED = 256
"""Names of resources that pods ask for and no node offers: those that most specs name are told apart. There are two
dozen where several sharing schedulers are installed; each is a column over all nodes."""

LINKS = 64
"""Gangs that one gang is bundled with. A job has a gang for each of its roles, of which there are a handful."""

COMPARISONS = 200_000
"""Of the labels of one namespace's pods with the selectors of its disruption budgets, that no index spares: a hundred
budgets without an `In` beside two thousand distinct sets of labels; a quarter of a second."""

QUOTAS = 64
"""ResourceQuotas, and items of LimitRanges, of one namespace: each new pod is held against all of them."""

RIVALS = 256
"""Controllers of one namespace that wait for room in its quotas."""

ROWS = 300
"""Refusals for one reason that a plan names one by one; the others are counted."""

REFERENCE = 400
"""Characters of a reference to an object: its kind, its namespace (63) and its name (253)."""

LIST = 4_000
"""Characters of a list of kinds that are not read, or of rights that we lack: all of them have room in it."""

WORDS = 300
"""Characters of what an object, or an error about it, is quoted with."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)  # what strconv.ParseInt reads; int() would also take "1_000"


def integer_of(text: str) -> int | None:
    """A whole number of 64 bits; None where the text is none, as Go's strconv.ParseInt has it."""
    if not _INTEGER.fullmatch(text):
        return None
    found = int(text)
    return found if -INT64 - 1 <= found <= INT64 else None
