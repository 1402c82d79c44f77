"""Disruption budgets, what they allow, and priority classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from descheduler.model.labels import Labels
from descheduler.model.owners import OwnerRef
from descheduler.model.pods import Phase, Pod
from descheduler.model.quantity import part_of
from descheduler.model.selectors import LabelSelector

PDB, PUB = "PodDisruptionBudget", "PodUnavailableBudget"
RELATED = ("pub.kruise.io/related-pub", "kruise.io/related-pub")
"""Where OpenKruise writes on a pod which PodUnavailableBudget protects it, since v1beta1 and before."""
_NOT_PROTECTED = ("pub.kruise.io/no-protect", "kruise.io/pub-no-protect")
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})  # Go's strconv.ParseBool


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A PodDisruptionBudget (policy/v1) or PodUnavailableBudget (OpenKruise), with its controller's last status.

    `min_available` and `max_unavailable` are kept as written ("3" or "25%"), empty when unset. `selector` None selects
    no pod, an empty one every pod of the namespace (policy/v1 types.go). `disrupting` counts `status.disruptedPods`:
    evictions granted that the controller has not yet seen. The last three are OpenKruise's: a budget may name its
    workload (`target`: API group, kind, name) instead of selecting pods, and let some go unasked (`ignored`).
    """

    namespace: str
    name: str
    selector: LabelSelector | None
    min_available: str = ""
    max_unavailable: str = ""
    unhealthy_policy: str = "IfHealthyBudget"  # or AlwaysAllow
    allowed: int = 0  # status.disruptionsAllowed
    current_healthy: int = 0
    desired_healthy: int = 0
    expected: int = 0
    generation: int = 0
    observed_generation: int = 0
    disrupting: tuple[str, ...] = ()
    kind: str = PDB
    target: tuple[str, str, str] | None = None
    ignored: LabelSelector | None = None

    @property
    def stale(self) -> bool:
        """The status does not yet speak of the present spec: nothing may be concluded from it."""
        return self.observed_generation < self.generation

    @property
    def key(self) -> str:
        name = f"{self.namespace}/{self.name}"
        return name if self.kind == PDB else f"{self.kind} {name}"

    def covers(self, pod: Pod, controllers: Iterable[OwnerRef]) -> bool:
        """Whether a pod of its namespace counts; `controllers` are those above the pod.

        OpenKruise goes by what it wrote on the pod, and writes it on the pods of the target, or those selected
        (kruise pkg/control/pubcontrol/pub_control.go, `GetPubForPod` and `GetPodsForPub`).
        """
        if self.kind == PUB:
            related = related_budget(pod.annotations)
            if related:
                return related == self.name
            if self.target is not None:
                return any((c.group, c.kind, c.name) == self.target for c in controllers)
        return self.selects(pod.labels)

    def selects(self, labels: Labels) -> bool:
        """Whether it counts pods of its namespace with these labels."""
        return self.selector is not None and self.selector.matches(labels)

    def allowance(self, healthy: int | None = None) -> int:
        """How many pods it lets be disrupted now: its status, but never more than its spec ever allows.

        `healthy` pods are there by the snapshot (None: not counted). A status that has not caught up with a pod that
        just became unhealthy allows no more than those leave.
        """
        allowed = self.allowed if self.at_best is None else min(self.allowed, self.at_best)
        if healthy is not None and self.expected > 0:
            allowed = min(allowed, healthy - self.desired_healthy)
        return max(0, allowed)

    @property
    def at_best(self) -> int | None:
        """How many it allows when every pod is healthy; None when its status does not count its pods yet.

        Percentages round up, of both kinds (kubernetes pkg/controller/disruption, `getExpectedPodCount`).
        """
        if self.expected <= 0:
            return None
        if self.max_unavailable:
            return min(self.expected, _scaled(self.max_unavailable, self.expected, unreadable=0))
        if self.min_available:
            return max(0, self.expected - _scaled(self.min_available, self.expected, unreadable=self.expected))
        return None

    def exempts(self, pod: Pod) -> bool:
        """Whether the Eviction API evicts the pod without asking it (registry/core/pod/storage/eviction.go).

        A pod that is not ready takes nothing from the healthy ones: by `AlwaysAllow` always, by the default
        `IfHealthyBudget` while as many as wanted are healthy.
        """
        if pod.phase is Phase.PENDING or pod.terminal:
            return True
        if self.kind == PUB and self._lets_go(pod):
            return True
        if pod.ready:
            return False
        return self.unhealthy_policy == "AlwaysAllow" or 0 < self.desired_healthy <= self.current_healthy

    def _lets_go(self, pod: Pod) -> bool:
        if any(pod.annotations.get(key) in _TRUE for key in _NOT_PROTECTED):
            return True
        return self.ignored is not None and bool(self.ignored.requirements) and self.ignored.matches(pod.labels)


def related_budget(annotations: Labels) -> str:
    """The PodUnavailableBudget that a pod says protects it, empty when it says nothing."""
    return next((name for key in RELATED if (name := annotations.get(key))), "")


def _scaled(written: str, total: int, unreadable: int) -> int:
    """`3` or `25%` of `total`."""
    found = part_of(written, total)
    return unreadable if found is None else found


@dataclass(frozen=True, slots=True)
class PriorityClass:
    name: str
    value: int
    default: bool = False
