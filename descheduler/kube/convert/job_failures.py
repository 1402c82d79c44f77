"""What a Job's podFailurePolicy makes of a pod that is evicted.

Its rules are asked in order and the first that matches decides (kubernetes pkg/controller/job/pod_failure_policy.go).
By which exit code the pod will end is not known before, so every code by which it may end is followed through the
rules, and the gravest action that one of them comes to counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from descheduler.kube.convert.wire import FailureConditionWire, FailureExitCodesWire, FailurePolicyWire
from descheduler.model.workloads import FailureAction

ENDINGS = frozenset({0, 1, *range(128, 256)})
"""Exit codes of a container that is told to stop: 143 and 137 by the signals themselves (128 + 15, 128 + 9), 0 of a
program that ends well, 1 of a runtime that takes the signal for an error, and the rest of what shells and launchers
pass on. A code from 2 to 127 names a failure of the program's own, as 42 does in Kubernetes' documentation; being told
to stop is none of those."""

_CONDITIONS = {
    "DisruptionTarget": "True",  # set by the Eviction API
    "PodScheduled": "True",
    "Initialized": "True",
    "Ready": "False",
    "ContainersReady": "False",
}
"""Conditions of a pod that was evicted and has ended; of others it is assumed that it does not have them."""

_GRAVITY = tuple(FailureAction)


def on_eviction(policy: FailurePolicyWire | None) -> FailureAction:
    """The gravest action that the policy may come to about a pod that is evicted; COUNT without a rule that matches."""
    rules = (policy.rules if policy else None) or ()
    codes = {name: set(ENDINGS) for name in _containers(rule.on_exit_codes for rule in rules)}
    reached: list[FailureAction] = []
    for rule in rules:
        if rule.on_exit_codes is None:
            if any(map(_holds, rule.on_pod_conditions or ())):
                reached.append(_action(rule.action))
                break
        elif _take(rule.on_exit_codes, codes):
            reached.append(_action(rule.action))
            if not any(map(any, codes.values())):
                break  # all that is left ends with 0: a pod that succeeds is not judged
    else:
        reached.append(FailureAction.COUNT)
    return max(reached, key=_GRAVITY.index)


def _containers(found: Iterable[FailureExitCodesWire | None]) -> frozenset[str]:
    """Names that rules tell apart; "" stands for a container that none names, where a rule is for all of them."""
    return frozenset(one.container_name or "" for one in found if one is not None)


def _take(wanted: FailureExitCodesWire, codes: dict[str, set[int]]) -> bool:
    """Whether a rule can match; who comes to the next one ended otherwise. Code 0 is no failure and never matches."""
    values = frozenset(wanted.values or ())
    matched = False
    for name in (wanted.container_name,) if wanted.container_name else tuple(codes):
        hit = {code for code in codes[name] if code and _wants(wanted.operator, values, code)}
        codes[name] -= hit
        matched |= bool(hit)
    return matched


def _wants(operator: str, values: frozenset[int], code: int) -> bool:
    return (operator == "In" and code in values) or (operator == "NotIn" and code not in values)


def _holds(pattern: FailureConditionWire) -> bool:
    return _CONDITIONS.get(pattern.type) == (pattern.status or "True")


def _action(written: str) -> FailureAction:
    """One that is not known may be as grave as any."""
    return FailureAction(written) if written in _GRAVITY else FailureAction.FAIL_JOB
