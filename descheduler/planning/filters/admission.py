"""Whether the API server would let the replacement of a pod in: what it must find, and the limits of its namespace.

Sources: kubernetes plugin/pkg/admission/{priority,runtimeclass,serviceaccount,limitranger}. PodSecurity, webhooks and
ValidatingAdmissionPolicies are not asked. A kind that was not read (a recording of an earlier version) refuses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.model.admission import ServiceAccount
from descheduler.model.asks import Asks
from descheduler.model.pods import Pod, PodSpec
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.remaking.merging import autoscaled
from descheduler.model.templates import PodTemplate
from descheduler.planning.filters.context import Filter, FilterContext
from descheduler.planning.filters.limit_ranges import breach, with_defaults

_BUILT_IN_CLASSES = frozenset({"system-node-critical", "system-cluster-critical"})
_DEFAULT_ACCOUNT = "default"


def admission_filters(context: FilterContext) -> Iterator[Filter]:
    """Pods whose replacement would be refused."""
    yield from context.of_alike(_Admission(context).refusal)


class _Admission:
    """What new pods are held to in one snapshot."""

    def __init__(self, context: FilterContext) -> None:
        self._context, self._snapshot = context, context.snapshot
        self._ranges = context.limit_ranges

    def refusal(self, position: int) -> Blocked | None:
        """Why the replacement of a pod would not be admitted."""
        pod, columns = self._context.pods[position], self._context.columns
        spec = columns.specs[columns.pod_remade[position]]
        template = self._template(pod)
        lacking = self._lacking(pod.namespace, spec, template)
        if lacking:
            return Blocked(Reason.NOT_ADMITTED, lacking, "no such object")
        if template is not None and self._contradicted(template.spec):
            return Blocked(Reason.NOT_ADMITTED, f"runtimeclass/{spec.runtime_class}", "the template contradicts it")
        return self._beyond_limits(pod, spec, template)

    def _template(self, pod: Pod) -> PodTemplate | None:
        owner = self._snapshot.workload(pod.namespace, pod.controller) if pod.controller is not None else None
        template = owner.template if owner is not None else None
        return template if template is not None and not template.problem else None

    def _lacking(self, namespace: str, spec: PodSpec, template: PodTemplate | None) -> str:
        """An object that the replacement names and that does not exist, by kind and name."""
        there, read = self._snapshot, self._snapshot.read
        # Whoever names none gets the class that is the default then, so what the pod got once does not matter.
        priority = (spec if template is None else template.spec).priority_class
        known = priority in there.priority_classes or priority in _BUILT_IN_CLASSES
        if priority and "priorityclasses" in read and not known:
            return f"priorityclass/{priority}"
        runtime = spec.runtime_class
        if runtime and "runtimeclasses" in read and runtime not in there.runtime_classes:
            return f"runtimeclass/{runtime}"
        account = spec.service_account or _DEFAULT_ACCOUNT
        if "serviceaccounts" in read and ServiceAccount(namespace, account) not in there.service_accounts:
            return f"serviceaccount/{namespace}/{account}"
        return ""

    def _contradicted(self, template: PodSpec) -> bool:
        """Whether a template asks for another overhead or other nodes than its RuntimeClass."""
        found = self._snapshot.runtime_classes.get(template.runtime_class)
        if found is None:
            return False
        selector, overhead = template.node_selector, template.asks.overhead
        return bool(overhead and overhead != found.overhead) or any(
            selector.get(key, value) != value for key, value in found.node_selector.items()
        )

    def _beyond_limits(self, pod: Pod, spec: PodSpec, template: PodTemplate | None) -> Blocked | None:
        ranges = self._ranges.get(pod.namespace)
        if not ranges or not spec.asks.containers:
            return None
        found = breach(with_defaults(spec.asks, ranges), spec.ephemeral, ranges)
        if found is not None and template is not None and not autoscaled(pod.annotations):
            # What the template leaves open was filled in when the pod was made, and will be by the defaults of now.
            stated = with_defaults(_stated(spec.asks, template.spec.asks), ranges)
            found = breach(stated, spec.ephemeral, ranges)
        if found is None:
            return None
        return Blocked(Reason.NOT_ADMITTED, f"limitrange/{found[0].key}", found[1])


def _stated(asks: Asks, template: Asks) -> Asks:
    """What will be asked for, of the template's own containers only what it says itself."""
    of = {one.name: one for one in template.containers}
    return Asks(tuple(of.get(one.name, one) for one in asks.containers), template.pod, asks.overhead)
