"""Which pods with resource claims neither move nor restart, for clusters as the API server gives them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import NOW
from descheduler.gangs import resolve
from descheduler.model.pods import Phase
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.filters.build import FilterRules, Filters, build_filters
from descheduler.policy.protections import Protections
from kube.device_objects import (
    claim_of,
    device_class,
    gpu_device,
    request,
    resource_slice,
    snapshot,
    stateful_set,
    template,
    templated,
)
from kube.wire_objects import node

AGAIN: dict[str, Any] = {
    "nodes": [node("n1"), node("n2")],
    "slices": [resource_slice(gpu_device(0), node="n1"), resource_slice(gpu_device(0), node="n2")],
    "classes": [device_class()],
    "templates": [template("a")],
    "sets": [stateful_set("a")],
    "claims": [claim_of("a-0", "gpu-0")],
}


def judged(found: ClusterSnapshot) -> Filters:
    return build_filters(found, resolve(found), FilterRules.of(Protections()), now=NOW)


def test_a_pod_whose_claim_can_be_made_again_moves_and_restarts() -> None:
    filters = judged(snapshot(templated("a-0", "a"), **AGAIN))
    assert (filters.blocked(0), filters.kept(0)) == (None, None)


@pytest.mark.parametrize(
    "gone",
    [
        {"templates": []},
        {"classes": []},
        {"templates": [template("a", request(selectors=[{"cel": {"expression": "device.driver.flip()"}}]))]},
    ],
)
def test_one_whose_claim_nobody_can_foretell_does_neither(gone: dict[str, Any]) -> None:
    found = snapshot(templated("a-0", "a"), **(AGAIN | gone))
    blocked, kept = judged(found).blocked(0), judged(found).kept(0)
    assert blocked == kept
    assert blocked is not None
    assert blocked.reason is Reason.CLAIM_UNKNOWN
    over = replace(found, pods=tuple(replace(one, phase=Phase.SUCCEEDED, ready=False) for one in found.pods))
    assert judged(over).kept(0) is None  # nobody makes it again
