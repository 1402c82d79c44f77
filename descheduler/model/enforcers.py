"""Who sets a field back that somebody else has changed: tools that keep a cluster as a repository says, by the names
under which they write (`metadata.managedFields[].manager`).

Sources: argo-cd common/common.go ArgoCDSSAManager and its binaries' names; flux2 kustomize-controller and
helm-controller (`FieldManager`); helm pkg/kube (the name of its binary); fleet internal/cmd/agent; Config Sync
pkg/applier; kapp-controller; open-cluster-management work agent; karmada.
"""

from __future__ import annotations

ENFORCERS: frozenset[str] = frozenset(
    """
    argocd-controller argocd-application-controller argocd
    kustomize-controller helm-controller flux gotk helm
    fleetagent fleet-agent configsync kapp-controller kapp-server work-agent karmada-agent
    karmada-controller-manager
    """.split()
)
_PEOPLE = ("kubectl",)
_OWN_CONTROLLERS = frozenset({"kube-controller-manager", "rollouts-controller"})


def enforces(manager: str, operation: str) -> bool:
    """Whether whoever wrote a field under that name would set it back.

    Server-side apply (`Apply`) is what controllers do again and again; `kubectl apply --server-side` is done once.
    """
    if manager in ENFORCERS:
        return True
    return operation == "Apply" and not manager.startswith(_PEOPLE) and manager not in _OWN_CONTROLLERS
