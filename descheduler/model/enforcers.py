"""Who sets a field back that somebody else has changed: tools that keep a cluster as a repository says, by the names
under which they write (`metadata.managedFields[].manager`). Names that are not here are people's and controllers': what
they wrote once they do not write again.

Sources: argo-cd common/common.go ArgoCDSSAManager and the names of its binaries; flux2 kustomize-controller and
helm-controller; helm pkg/kube (the name of its binary); fleet internal/cmd/agent; Config Sync pkg/applier;
kapp-controller; the work agents of Open Cluster Management and Karmada.
"""

from __future__ import annotations

_NAMES = """
argocd argocd-controller argocd-application-controller
flux gotk kustomize-controller helm-controller helm
fleetagent fleet-agent configsync kapp kapp-server kapp-controller work-agent karmada-agent karmada-controller-manager
"""
ENFORCERS: frozenset[str] = frozenset(_NAMES.split())
