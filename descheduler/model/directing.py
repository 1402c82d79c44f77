"""Directed landing: what the administrator installs so that replacements are made with a preference of ours.

A MutatingAdmissionPolicy (admissionregistration.k8s.io, v1 since Kubernetes 1.36) adds a preferred node affinity to
pods that are made by controllers which a ConfigMap of ours names. The manifests are in `manifests/components/direct`.
"""

from __future__ import annotations

from descheduler.model.snapshot import ClusterSnapshot

NAME = "descheduler-directed-landing"
"""Of the policy and its binding."""
DIRECTIONS = "descheduler-directions"
"""Of the ConfigMap, in the namespace of the program: the uid of a controller, and names of nodes with commas."""
BINDING = "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding"


def installed(snapshot: ClusterSnapshot) -> bool:
    """Whether the cluster has the binding that puts the policy in force; that it works must be proved on top."""
    bindings = snapshot.objects.get(BINDING, ())
    return any(one.spec.get("policyName") == NAME and not one.deleting for one in bindings)
