"""DefaultEvictor: its arguments, old and new, as our protections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from descheduler.contract.selecting import LabelChoice
from descheduler.policy.protections import (
    SYSTEM_CRITICAL,
    PriorityThreshold,
    Protections,
    VolumeProtection,
)
from descheduler.policy.section import Section
from descheduler.policy.selecting import Selector
from descheduler.policy.v1alpha2.label_text import node_selector
from descheduler.policy.v1alpha2.types import Count, GoDuration, NodeSelectorText

NAME = "DefaultEvictor"

ByDefault = Literal["PodsWithLocalStorage", "DaemonSetPods", "SystemCriticalPods", "FailedBarePods"]
Extra = Literal["PodsWithPVC", "PodsWithoutPDB", "PodsWithResourceClaims"]
Protection = Literal[ByDefault, Extra]


class Threshold(Section):
    """A priority."""

    value: Annotated[int, Field(ge=-(2**31), le=SYSTEM_CRITICAL)] | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.value is not None and self.name:
            raise ValueError("give one of value and name")
        return self


class StorageClass(Section):
    """A storage class by name."""

    name: str = Field(min_length=1)


class VolumeConfig(Section):
    """Whose claims protect."""

    protected_storage_classes: tuple[StorageClass, ...] | None = None


class ProtectionsConfig(Section):
    """Settings of protections, by their names."""

    volumes: VolumeConfig | None = Field(default=None, alias="PodsWithPVC")


class PodProtections(Section):
    """Protections that are switched off, and those that are switched on."""

    default_disabled: tuple[ByDefault, ...] | None = None
    extra_enabled: tuple[Extra, ...] | None = None
    config: ProtectionsConfig | None = None

    @model_validator(mode="after")
    def _once(self) -> Self:
        for name, given in (("defaultDisabled", self.default_disabled), ("extraEnabled", self.extra_enabled)):
            if len(set(given or ())) < len(given or ()):
                raise ValueError(f"{name} names a protection twice")
        return self


class EvictorArgs(Section):
    """Arguments of DefaultEvictor; the booleans are its former names for podProtections."""

    node_selector: NodeSelectorText | None = None
    label_selector: LabelChoice | None = None
    namespace_label_selector: LabelChoice | None = None
    priority_threshold: Threshold | None = None
    node_fit: bool = False
    min_replicas: Count = 0
    min_pod_age: GoDuration | None = None
    no_eviction_policy: Literal["", "Preferred", "Mandatory"] = ""
    pod_protections: PodProtections = PodProtections()
    evict_local_storage_pods: bool = False
    evict_daemon_set_pods: bool = False
    evict_system_critical_pods: bool = False
    evict_failed_bare_pods: bool = False
    ignore_pvc_pods: bool = False
    ignore_pods_without_pdb: Annotated[bool, Field(alias="ignorePodsWithoutPDB")] = False

    @model_validator(mode="after")
    def _old_or_new(self) -> Self:
        new = self.pod_protections
        if self.deprecated and (new.default_disabled or new.extra_enabled):
            first = next(iter(self.deprecated.values()))
            raise ValueError(f"{first} is the former name of a podProtection: give all of them there")
        return self

    def _former(self) -> dict[Protection, bool]:
        return {
            "PodsWithLocalStorage": self.evict_local_storage_pods,
            "DaemonSetPods": self.evict_daemon_set_pods,
            "SystemCriticalPods": self.evict_system_critical_pods,
            "FailedBarePods": self.evict_failed_bare_pods,
            "PodsWithPVC": self.ignore_pvc_pods,
            "PodsWithoutPDB": self.ignore_pods_without_pdb,
        }

    @property
    def deprecated(self) -> dict[Protection, str]:
        """The former names that are used, by what they are called now."""
        return {name: _FORMERLY[name] for name, given in self._former().items() if given}

    @property
    def switched(self) -> frozenset[Protection]:
        """Protections that are not as they are by default."""
        new = self.pod_protections
        return frozenset((*(new.default_disabled or ()), *(new.extra_enabled or ()), *self.deprecated))

    @property
    def storage_classes(self) -> tuple[str, ...]:
        """Storage classes of which alone claims protect; of all when empty."""
        config = self.pod_protections.config
        volumes = config.volumes if config is not None else None
        return tuple(one.name for one in (volumes.protected_storage_classes or ())) if volumes is not None else ()

    def idle(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """What has no effect there, by its place within the arguments, and why."""
        if self.storage_classes and "PodsWithPVC" not in self.switched:
            yield ("podProtections", "config"), "has no effect without PodsWithPVC in extraEnabled"
        if self.node_selector and not self.node_fit:
            yield ("nodeSelector",), "has no effect without nodeFit: true"

    @property
    def threshold(self) -> Threshold | None:
        """The priority that protects; none where it is ignored because critical pods are not protected."""
        given = self.priority_threshold
        if given is None or "SystemCriticalPods" in self.switched:
            return None
        return given if given.value is not None or given.name else None


_FORMERLY: dict[Protection, str] = {
    "PodsWithLocalStorage": "evictLocalStoragePods",
    "DaemonSetPods": "evictDaemonSetPods",
    "SystemCriticalPods": "evictSystemCriticalPods",
    "FailedBarePods": "evictFailedBarePods",
    "PodsWithPVC": "ignorePvcPods",
    "PodsWithoutPDB": "ignorePodsWithoutPDB",
}


def protections(args: EvictorArgs) -> Protections:
    """The same as ours has it; only what differs from the defaults is set."""
    switched, given = args.switched, dict[str, Any]()
    off = {
        "system_critical": "SystemCriticalPods",
        "local_storage": "PodsWithLocalStorage",
        "daemon_sets": "DaemonSetPods",
        "failed_bare_pods": "FailedBarePods",
    }
    given |= {ours: False for ours, theirs in off.items() if theirs in switched}
    given |= {"without_budget": True} if "PodsWithoutPDB" in switched else {}
    given |= {"resource_claims": True} if "PodsWithResourceClaims" in switched else {}
    if "PodsWithPVC" in switched:
        classes = {"storage_classes": args.storage_classes} if args.storage_classes else {}
        given["persistent_volumes"] = VolumeProtection(protect=True, **classes)
    if (threshold := args.threshold) is not None:
        value = {"value": threshold.value} if threshold.value is not None else {"name": threshold.name}
        given["priority_threshold"] = PriorityThreshold.model_validate(value)
    given |= {"label_selector": found} if (found := _selector(args.label_selector)) else {}
    given |= {"namespace_label_selector": found} if (found := _selector(args.namespace_label_selector)) else {}
    if args.node_fit and (nodes := node_selector(args.node_selector or "")) is not None:
        given["node_selector"] = nodes
    given |= {"min_replicas": args.min_replicas} if args.min_replicas > 1 else {}
    given |= {"min_pod_age": args.min_pod_age} if args.min_pod_age else {}
    given |= {"no_eviction_policy": "Mandatory"} if args.no_eviction_policy == "Mandatory" else {}
    return Protections(**given)


def _selector(choice: LabelChoice | None) -> Selector | None:
    """None also for an empty one, which selects everything."""
    if choice is None or not choice.selector().requirements:
        return None
    return Selector.model_validate(choice.model_dump(exclude_unset=True))
