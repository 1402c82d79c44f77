"""The scheduler's reasons why a node cannot take a pod, in the order in which kube-scheduler asks."""

from __future__ import annotations

from enum import IntEnum


class Predicate(IntEnum):
    """What the scheduler finds first against a node; `OK` (0) when nothing.

    The order is that of the default plug-ins (kubernetes pkg/scheduler/apis/config/v1/default_plugins.go), but for the
    last, which belong to DEVICE_CLAIMS. Five are ours: NOT_READY and VIRTUAL (such nodes are never a destination,
    whatever their taints say), LEAVING and BRIEF: there the scheduler would put the pod, which would not stay (such a
    node has room, but is no good landing), and UNREADABLE: nobody can tell what the pod asks for.
    """

    OK = 0
    UNSCHEDULABLE = 1
    NOT_READY = 2
    VIRTUAL = 3
    TAINT = 4
    NODE_AFFINITY = 5
    PORTS = 6
    RESOURCES = 7
    GPU_DEVICES = 8
    VOLUME_IN_USE = 9
    VOLUME_LIMIT = 10
    VOLUME_CLAIM = 11
    VOLUME = 12
    VOLUME_BIND = 13
    VOLUME_ZONE = 14
    SPREAD_LABEL = 15
    SPREAD = 16
    AFFINITY = 17
    ANTI_AFFINITY = 18
    ANTI_AFFINITY_OF_OTHERS = 19
    DEVICE_CLAIMS = 20
    LEAVING = 21
    BRIEF = 22
    UNREADABLE = 23
    DEVICE_POOLS = 24
    CLAIM_ELSEWHERE = 25
    CLAIM_IN_USE = 26
    SELECTOR_FAILS = 27


TEXT: dict[Predicate, str] = {
    Predicate.OK: "node(s) fit",
    Predicate.UNSCHEDULABLE: "node(s) were unschedulable",
    Predicate.NOT_READY: "node(s) were not ready",
    Predicate.VIRTUAL: "node(s) are virtual",
    Predicate.TAINT: "node(s) had untolerated taint(s)",
    Predicate.NODE_AFFINITY: "node(s) didn't match Pod's node affinity/selector",
    Predicate.PORTS: "node(s) didn't have free ports for the requested pod ports",
    Predicate.RESOURCES: "Insufficient resources",
    Predicate.GPU_DEVICES: "node(s) had no suitable GPU devices",
    Predicate.VOLUME_IN_USE: "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode"
    " already in-use by another pod",
    Predicate.VOLUME_LIMIT: "node(s) exceed max volume count",
    Predicate.VOLUME_CLAIM: "node(s) cannot be used: a claim of the pod is missing, going, unbound or lost its volume",
    Predicate.VOLUME: "node(s) didn't match PersistentVolume's node affinity",
    Predicate.VOLUME_BIND: "node(s) didn't find available persistent volumes to bind",
    Predicate.VOLUME_ZONE: "node(s) had no available volume zone",
    Predicate.SPREAD_LABEL: "node(s) didn't match pod topology spread constraints (missing required label)",
    Predicate.SPREAD: "node(s) didn't match pod topology spread constraints",
    Predicate.AFFINITY: "node(s) didn't match pod affinity rules",
    Predicate.ANTI_AFFINITY: "node(s) didn't match pod anti-affinity rules",
    Predicate.ANTI_AFFINITY_OF_OTHERS: "node(s) didn't satisfy existing pods anti-affinity rules",
    Predicate.DEVICE_CLAIMS: "cannot allocate all claims",
    Predicate.LEAVING: "node(s) are about to be removed",
    Predicate.UNREADABLE: "node(s) cannot be judged: what the pod asks for makes no sense",
    Predicate.BRIEF: "node(s) had NoExecute taint(s) that the pod tolerates for a while only",
    Predicate.DEVICE_POOLS: "invalid resource pools were encountered",
    Predicate.CLAIM_ELSEWHERE: "resourceclaim not available on the node",
    Predicate.CLAIM_IN_USE: "resourceclaim in use",
    Predicate.SELECTOR_FAILS: "node(s) cannot be judged: a resource claim asks for what cannot be worked out",
}
"""What kube-scheduler's events say (the `ErrReason…` constants of its plug-ins)."""
