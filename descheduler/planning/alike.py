"""Pods that no executor tells apart: what is asked of one of them is asked of all."""

from __future__ import annotations

import numpy as np

from descheduler.model.arrays import Ints
from descheduler.model.distinct import distinct
from descheduler.model.snapshot import ClusterSnapshot


def alike(snapshot: ClusterSnapshot) -> Ints:
    """[P] the same number for pods of one owner, spec, labels, annotations and claims, whose replacements are alike."""
    return snapshot.once(alike, lambda: _alike(snapshot))


def _alike(snapshot: ClusterSnapshot) -> Ints:
    looks, columns, pods = snapshot.looks, snapshot.columns, snapshot.pods
    found: Ints = np.zeros(len(pods), np.int64)
    made = np.zeros(len(pods), np.int64)
    different = snapshot.remade.different
    if different:
        made[list(different)] = distinct(different.values()).rows + 1
    claims = distinct([pod.claims for pod in pods]).rows
    devices = distinct([pod.device_claims for pod in pods]).rows
    shared = (looks.owners.rows, columns.pod_spec, looks.labels.rows, looks.annotations.rows)
    for rows in (*shared, columns.pod_terminal, claims, devices, made):
        _, found = np.unique(found * (int(rows.max(initial=0)) + 1) + rows, return_inverse=True)
        found = found.reshape(-1)
    return found
