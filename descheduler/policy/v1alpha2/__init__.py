"""Policies of the Kubernetes SIG's descheduler (`descheduler/v1alpha2`), read as ours.

Source of names, defaults and what its loader ignores: kubernetes-sigs/descheduler v0.36.0, pkg/api/v1alpha2/types.go,
pkg/descheduler/policyconfig.go and pkg/framework/plugins/defaultevictor.
"""

from descheduler.policy.v1alpha2.file import V1ALPHA2
from descheduler.policy.v1alpha2.reading import v1alpha2_policy

__all__ = ["V1ALPHA2", "v1alpha2_policy"]
