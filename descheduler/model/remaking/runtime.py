"""What a RuntimeClass puts on pods when they are made: a replacement gets what the class says now.

Source: kubernetes plugin/pkg/admission/runtimeclass (`setOverhead`, `setScheduling`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from descheduler.model.admission import RuntimeClass
from descheduler.model.pods import PodSpec
from descheduler.model.quantity import amounts
from descheduler.model.remaking.merging import counted


def under_class(spec: PodSpec, classes: Mapping[str, RuntimeClass]) -> PodSpec:
    """The spec with its class's overhead, node selector and tolerations; the very object where it has them already.

    Without such a class there will be no replacement; that is for others to say.
    """
    found = classes.get(spec.runtime_class) if spec.runtime_class else None
    if found is None:
        return spec
    made = spec
    if spec.asks.containers and spec.asks.overhead != found.overhead:
        asks = replace(spec.asks, overhead=found.overhead)
        made = counted(spec, asks, (spec, PodSpec(requests=amounts(dict(found.overhead)))))
    if any(spec.node_selector.get(key) != value for key, value in found.node_selector.items()):
        made = replace(made, node_selector=spec.node_selector.with_(found.node_selector))
    added = tuple(one for one in found.tolerations if one not in spec.tolerations)
    return replace(made, tolerations=(*spec.tolerations, *added)) if added else made
