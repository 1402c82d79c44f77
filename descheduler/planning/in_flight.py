"""Pods that are on their way already: moved by us, or by whoever says so on the pod."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from descheduler.model.snapshot import ClusterSnapshot

EVICTION_IN_PROGRESS = "descheduler.alpha.kubernetes.io/eviction-in-progress"
"""Set by whoever took an eviction over (KubeVirt, while it migrates a virtual machine), and taken off when it failed.
Source: kubernetes-sigs/descheduler, feature EvictionsInBackground (KEP-1397 there); its value says nothing."""


def in_flight(snapshot: ClusterSnapshot, ours: Iterable[int]) -> tuple[int, ...]:
    """Positions of pods that are disrupted though the snapshot still shows them in their place, ascending."""
    annotations = snapshot.looks.annotations
    marked = [row for row, found in enumerate(annotations.values) if EVICTION_IN_PROGRESS in found]
    theirs = np.flatnonzero(np.isin(annotations.rows, marked)).tolist() if marked else ()
    return tuple(sorted({*ours, *(i for i in theirs if not snapshot.pods[i].terminal)}))
