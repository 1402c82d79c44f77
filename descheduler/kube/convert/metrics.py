"""NodeMetrics and PodMetrics (k8s.io/metrics pkg/apis/metrics/v1beta1/types.go): wire to model."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.pod_requests import quantities
from descheduler.kube.convert.unreadable import under
from descheduler.kube.convert.wire import NodeMetricsWire, PodMetricsWire
from descheduler.model.metrics import Sample
from descheduler.model.quantity import amounts


def convert_sample(wire: NodeMetricsWire | PodMetricsWire, intern: Interner) -> Sample:
    """The sample of one node, or of one pod: the sum of its containers."""
    used: defaultdict[str, Decimal] = defaultdict(Decimal)
    parts = [wire] if isinstance(wire, NodeMetricsWire) else wire.containers or ()
    with under("usage"):
        for part in parts:
            for name, amount in quantities(part.usage).items():
                used[name] += amount
    return Sample(
        namespace=intern.text(wire.metadata.namespace),
        name=wire.metadata.name,
        at=wire.timestamp.timestamp() if wire.timestamp else 0.0,
        usage=amounts(used),
    )
