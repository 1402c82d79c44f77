"""Pods that are on their way already: moved by us, by whoever says so on the pod, or by KubeVirt."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.virtual_machines import machine_of, migrating

EVICTION_IN_PROGRESS = "descheduler.alpha.kubernetes.io/eviction-in-progress"
"""Set by whoever took an eviction over (KubeVirt, while it migrates a virtual machine), and taken off when it failed.
Source: kubernetes-sigs/descheduler, feature EvictionsInBackground (KEP-1397 there); its value says nothing."""


def in_flight(snapshot: ClusterSnapshot, ours: Iterable[int]) -> tuple[int, ...]:
    """Positions of pods that are disrupted though the snapshot still shows them in their place, ascending."""
    annotations = snapshot.looks.annotations
    marked = [row for row, found in enumerate(annotations.values) if EVICTION_IN_PROGRESS in found]
    theirs = np.flatnonzero(np.isin(annotations.rows, marked)).tolist() if marked else ()
    found = (i for i in (*theirs, *_of_machines(snapshot)) if not snapshot.pods[i].terminal)
    return tuple(sorted({*ours, *found}))


def _of_machines(snapshot: ClusterSnapshot) -> Iterable[int]:
    """Pods of virtual machines that KubeVirt migrates: the one that is left and the one that is made."""
    moving = migrating(snapshot.objects)
    if not moving:
        return ()
    owners = snapshot.looks.owners
    first = snapshot.looks.first_of_owner
    rows = [row for row, pod in enumerate(first) if (pod.namespace, machine_of(pod.controller)) in moving]
    found: Iterable[int] = np.flatnonzero(np.isin(owners.rows, rows)).tolist()
    return found
