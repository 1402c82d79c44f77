"""How much of a device's capacity a request takes, and whether there is so much (consumable capacity, KEP-5075;
k8s.io/dynamic-resource-allocation/structured/internal/incubating/consumable_capacity.go)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from descheduler.model.dra import Amounts, Capacity, RequestPolicy


def taken(asked: Amounts, capacity: Mapping[str, Capacity]) -> Amounts:
    """What a request takes of each capacity of a device that may be shared."""
    wanted = dict(asked)
    return tuple((name, _taken(wanted.get(name), found)) for name, found in capacity.items())


def enough(asked: Amounts, capacity: Mapping[str, Capacity], *used: Mapping[str, Decimal]) -> bool:
    """Whether a device has what a request asks for beside what is `used` already."""
    if any(name not in capacity for name, _ in asked):
        return False
    for name, value in taken(asked, capacity):
        found = capacity[name]
        if found.policy is not None and _violates(value, found.policy):
            return False
        if value + sum(one.get(name, Decimal(0)) for one in used) > found.value:
            return False
    return True


def _taken(asked: Decimal | None, found: Capacity) -> Decimal:
    policy = found.policy
    if asked is None:
        return found.value if policy is None or policy.default is None else policy.default
    if policy is None:
        return asked
    if policy.low is not None:
        return _stepped(asked, policy.low, policy.step)
    return next((value for value in policy.values if asked <= value), asked)


def _stepped(asked: Decimal, low: Decimal, step: Decimal | None) -> Decimal:
    if asked < low:
        return low
    if not step:
        return asked
    steps, rest = divmod(_whole(asked) - _whole(low), _whole(step))
    return _whole(low) + (steps + bool(rest)) * _whole(step)


def _violates(value: Decimal, policy: RequestPolicy) -> bool:
    if value == policy.default:
        return False
    if policy.low is not None or policy.high is not None or policy.step is not None:
        if policy.high is not None and value > policy.high:
            return True
        low = policy.low if policy.low is not None else Decimal(0)
        return bool(policy.step) and (_whole(value) - _whole(low)) % _whole(policy.step or Decimal(1)) != 0
    return bool(policy.values) and value not in policy.values


def _whole(value: Decimal) -> Decimal:
    return value.to_integral_value(ROUND_CEILING)
