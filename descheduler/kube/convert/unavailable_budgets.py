"""OpenKruise's PodUnavailableBudgets: wire to model.

They say what PodDisruptionBudgets say, round likewise, and never count a pod that is not ready (kruise
pkg/controller/podunavailablebudget, `getDesiredAvailableForPub`; pkg/control/pubcontrol/pub_control_utils.go).
"""

from __future__ import annotations

import msgspec

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.selectors import label_selector
from descheduler.kube.convert.unreadable import under
from descheduler.kube.convert.wire import CustomWire, Int32, Int64, LabelSelectorWire, Slim
from descheduler.kube.convert.workloads import written
from descheduler.model.budgets import PUB, DisruptionBudget

_OPERATIONS = "kruise.io/pub-protect-operations"  # before spec.protectOperations
_EVICT = "EVICT"


class _Target(Slim, frozen=True, gc=False):
    api_version: str = ""
    kind: str = ""
    name: str = ""


class _Spec(Slim, frozen=True, gc=False):
    selector: LabelSelectorWire | None = None
    target_ref: _Target | None = None
    min_available: Int32 | str | None = None
    max_unavailable: Int32 | str | None = None
    protect_operations: tuple[str, ...] | None = None
    ignored_pod_selector: LabelSelectorWire | None = None


class _Status(Slim, frozen=True, gc=False):
    unavailable_allowed: Int32 = 0
    current_available: Int32 = 0
    desired_available: Int32 = 0
    total_replicas: Int32 = 0
    observed_generation: Int64 = 0
    disrupted_pods: dict[str, str] | None = None
    unavailable_pods: dict[str, str] | None = None


def convert_unavailable_budget(
    wire: CustomWire, intern: Interner, *, kind: str, api_version: str
) -> DisruptionBudget | None:
    """One budget; None for one that does not protect from evictions."""
    del kind, api_version
    meta = wire.metadata
    spec, status = msgspec.convert(wire.spec or {}, _Spec), msgspec.convert(wire.status or {}, _Status)
    before = (meta.annotations or {}).get(_OPERATIONS, "")
    operations = spec.protect_operations or tuple(filter(None, before.split(",")))
    if operations and _EVICT not in operations:
        return None
    target = spec.target_ref
    with under("spec.selector"):
        selector = None if target else label_selector(spec.selector)
    with under("spec.ignoredPodSelector"):
        ignored = label_selector(spec.ignored_pod_selector)
    return DisruptionBudget(
        namespace=intern.text(meta.namespace),
        name=meta.name,
        selector=selector,
        min_available=written(spec.min_available),
        max_unavailable=written(spec.max_unavailable),
        unhealthy_policy="AlwaysAllow",
        allowed=status.unavailable_allowed,
        current_healthy=status.current_available,
        desired_healthy=status.desired_available,
        expected=status.total_replicas,
        generation=meta.generation,
        observed_generation=status.observed_generation,
        disrupting=tuple(sorted({*(status.disrupted_pods or ()), *(status.unavailable_pods or ())})),
        kind=PUB,
        target=(target.api_version.rpartition("/")[0], target.kind, target.name) if target else None,
        ignored=ignored,
    )
