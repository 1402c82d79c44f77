"""Directed landing: what the administrator installs so that replacements are made with a preference of ours.

A MutatingAdmissionPolicy (admissionregistration.k8s.io, v1 since Kubernetes 1.36) adds a preferred node affinity to
pods that are made by controllers which a ConfigMap of ours names. The manifests are in `manifests/components/direct`.
"""

from __future__ import annotations

from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot

NAME = "descheduler-directed-landing"
"""Of the policy and its binding."""
DIRECTIONS = "descheduler-directions"
"""Of the ConfigMap, in the namespace of the program: what `direction_of` says, and names of nodes with commas."""
BINDING = "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding"


def direction_of(pod: Pod) -> str:
    """The key under which the pod's replacement is directed: the uid of its controller, for all pods that it makes.

    A StatefulSet gives the replacement the name of the pod. Then the name follows, after a dot (which no uid has), and
    no other pod is meant.
    """
    owner = pod.controller
    if owner is None:
        return ""
    return f"{owner.uid}.{pod.name}" if (owner.group, owner.kind) == ("apps", "StatefulSet") else owner.uid


def installed(snapshot: ClusterSnapshot) -> bool:
    """Whether the cluster has the binding that puts the policy in force; that it works must be proved on top."""
    bindings = snapshot.objects.get(BINDING, ())
    return any(one.spec.get("policyName") == NAME and not one.deleting for one in bindings)
