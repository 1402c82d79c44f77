"""DeviceTaintRules: wire to model, and the devices with their taints.

An administrator taints devices with them beside the driver, which taints those of its own slices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from descheduler.kube.convert.customs import described
from descheduler.kube.convert.interning import Interner
from descheduler.kube.devices.dra_wire import DeviceSelectorWire, TaintRuleWire
from descheduler.model.dra import SLICES, TAINT_RULES, DeviceTaint, DeviceTaintRule, PooledDevice, ResourceSlice


def convert_taint_rule(wire: TaintRuleWire, intern: Interner, *, kind: str, api_version: str) -> DeviceTaintRule:
    """One DeviceTaintRule, without its spec."""
    selector, taint = wire.spec.device_selector or DeviceSelectorWire(), wire.spec.taint
    return DeviceTaintRule(
        **described(wire, intern, kind=kind, api_version=api_version),
        driver=selector.driver,
        pool=selector.pool,
        device=selector.device,
        taint=DeviceTaint(taint.key, taint.value, taint.effect),
    )


def with_taints(found: Mapping[str, Iterable[object]]) -> Mapping[str, Iterable[object]]:
    """Objects by the key of their kind, of which devices have the taints of the rules among them."""
    rules = [one for one in found.get(TAINT_RULES, ()) if isinstance(one, DeviceTaintRule)]
    if not rules:
        return found
    slices = [_tainted(one, rules) if isinstance(one, ResourceSlice) else one for one in found.get(SLICES, ())]
    return {**found, SLICES: slices}


def _tainted(one: ResourceSlice, rules: Sequence[DeviceTaintRule]) -> ResourceSlice:
    def with_its(device: PooledDevice) -> PooledDevice:
        more = tuple(rule.taint for rule in rules if rule.selects(one.driver, one.pool, device.name))
        return replace(device, taints=(*device.taints, *more)) if more else device

    return replace(one, devices=tuple(map(with_its, one.devices)))
