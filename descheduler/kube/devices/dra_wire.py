"""Dynamic resource allocation on the wire (k8s.io/api resource/v1, v1beta2, v1beta1, v1alpha3).

v1beta1 and v1alpha3 have what describes a device under `basic`, and what a request asks for beside its name instead of
under `exactly`; v1alpha3 writes a capacity as a bare quantity.
"""

from __future__ import annotations

from msgspec import field

from descheduler.kube.convert.wire import Int64, NodeSelectorWire, Object, Slim

Amount = str | int | float


class AttributeWire(Slim, frozen=True, gc=False):
    text: str | None = field(default=None, name="string")
    number: Int64 | None = field(default=None, name="int")
    truth: bool | None = field(default=None, name="bool")
    version: str | None = None


class RangeWire(Slim, frozen=True, gc=False):
    low: Amount | None = field(default=None, name="min")
    high: Amount | None = field(default=None, name="max")
    step: Amount | None = None


class RequestPolicyWire(Slim, frozen=True, gc=False):
    default: Amount | None = None
    valid_values: tuple[Amount, ...] | None = None
    valid_range: RangeWire | None = None


class CapacityWire(Slim, frozen=True, gc=False):
    value: Amount = 0
    request_policy: RequestPolicyWire | None = None


class DeviceTaintWire(Slim, frozen=True, gc=False):
    key: str = ""
    value: str = ""
    effect: str = ""


class CounterWire(Slim, frozen=True, gc=False):
    value: Amount = 0


class CounterSetWire(Slim, frozen=True, gc=False):
    """One that a pool has (`name`), or what a device consumes of it (`counterSet`)."""

    name: str = ""
    counter_set: str = ""
    counters: dict[str, CounterWire] | None = None


class DescribedWire(Slim, frozen=True, gc=False):
    attributes: dict[str, AttributeWire] | None = None
    capacity: dict[str, CapacityWire | str | int | float] | None = None
    taints: tuple[DeviceTaintWire, ...] | None = None
    consumes_counters: tuple[CounterSetWire, ...] | None = None
    node_name: str | None = None
    node_selector: NodeSelectorWire | None = None
    all_nodes: bool | None = None
    allow_multiple_allocations: bool | None = None
    binds_to_node: bool | None = None
    binding_conditions: tuple[str, ...] | None = None


class DeviceWire(DescribedWire, frozen=True, gc=False):
    name: str = ""
    basic: DescribedWire | None = None


class PoolWire(Slim, frozen=True, gc=False):
    name: str = ""
    generation: Int64 = 0
    resource_slice_count: Int64 = 1


class SliceSpecWire(Slim, frozen=True, gc=False):
    driver: str = ""
    pool: PoolWire = PoolWire()
    node_name: str | None = None
    node_selector: NodeSelectorWire | None = None
    all_nodes: bool | None = None
    per_device_node_selection: bool | None = None
    devices: tuple[DeviceWire, ...] | None = None
    shared_counters: tuple[CounterSetWire, ...] | None = None


class SliceWire(Object, frozen=True, gc=False):
    spec: SliceSpecWire = SliceSpecWire()


class CelWire(Slim, frozen=True, gc=False):
    expression: str = ""


class SelectorWire(Slim, frozen=True, gc=False):
    cel: CelWire | None = None


class TolerationWire(Slim, frozen=True, gc=False):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""


class CapacityRequestWire(Slim, frozen=True, gc=False):
    requests: dict[str, Amount] | None = None


class AskedWire(Slim, frozen=True, gc=False):
    """What one request asks for, or one of its subrequests."""

    name: str = ""
    device_class_name: str = ""
    allocation_mode: str = ""
    count: Int64 = 0
    selectors: tuple[SelectorWire, ...] | None = None
    admin_access: bool | None = None
    tolerations: tuple[TolerationWire, ...] | None = None
    capacity: CapacityRequestWire | None = None


class RequestWire(AskedWire, frozen=True, gc=False):
    exactly: AskedWire | None = None
    first_available: tuple[AskedWire, ...] | None = None


class ConstraintWire(Slim, frozen=True, gc=False):
    requests: tuple[str, ...] | None = None
    match_attribute: str | None = None
    distinct_attribute: str | None = None


class RequestsWire(Slim, frozen=True, gc=False):
    requests: tuple[RequestWire, ...] | None = None
    constraints: tuple[ConstraintWire, ...] | None = None


class ClaimSpecWire(Slim, frozen=True, gc=False):
    devices: RequestsWire = RequestsWire()


class ResultWire(Slim, frozen=True, gc=False):
    driver: str = ""
    pool: str = ""
    device: str = ""
    admin_access: bool | None = None
    share_id: str | None = field(default=None, name="shareID")
    consumed_capacity: dict[str, Amount] | None = None


class ResultsWire(Slim, frozen=True, gc=False):
    results: tuple[ResultWire, ...] | None = None


class AllocationWire(Slim, frozen=True, gc=False):
    devices: ResultsWire = ResultsWire()
    node_selector: NodeSelectorWire | None = None


class HolderWire(Slim, frozen=True, gc=False):
    api_group: str = ""
    resource: str = ""
    uid: str = ""


class ClaimStatusWire(Slim, frozen=True, gc=False):
    allocation: AllocationWire | None = None
    reserved_for: tuple[HolderWire, ...] | None = None


class DeviceClaimWire(Object, frozen=True, gc=False):
    spec: ClaimSpecWire = ClaimSpecWire()
    status: ClaimStatusWire = ClaimStatusWire()


class TemplateSpecWire(Slim, frozen=True, gc=False):
    spec: ClaimSpecWire = ClaimSpecWire()


class ClaimTemplateWire(Object, frozen=True, gc=False):
    spec: TemplateSpecWire = TemplateSpecWire()


class ClassSpecWire(Slim, frozen=True, gc=False):
    selectors: tuple[SelectorWire, ...] | None = None
    extended_resource_name: str | None = None


class DeviceClassWire(Object, frozen=True, gc=False):
    spec: ClassSpecWire = ClassSpecWire()


class DeviceSelectorWire(Slim, frozen=True, gc=False):
    driver: str | None = None
    pool: str | None = None
    device: str | None = None


class TaintRuleSpecWire(Slim, frozen=True, gc=False):
    device_selector: DeviceSelectorWire | None = None
    taint: DeviceTaintWire = DeviceTaintWire()


class TaintRuleWire(Object, frozen=True, gc=False):
    """v1alpha3 could also choose by class and CEL before 1.35; such a rule counts for all that its names select."""

    spec: TaintRuleSpecWire = TaintRuleSpecWire()
