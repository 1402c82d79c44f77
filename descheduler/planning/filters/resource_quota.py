"""Whether the ResourceQuotas of a namespace would let the replacement of a pod in.

The pod that leaves is counted until it is gone from the API, so in a quota that is full its replacement is refused at
first; its controller tries again, and gets it in when the room of the old one is given back. So what counts is the use
without the pods that leave and with their replacements. Beyond the limit (it was lowered, or the replacement is larger)
a pod stays, and so it does where a controller that has fewer pods than it wants waits for the room that would be given
back: which of the two is let in first is chance.

Use is summed from the pods, and is no less than the quota's status says, by which the API server admits. It holds
nobody to a quota that has no status yet; here the limit that is written counts at once.

Source: kubernetes plugin/pkg/admission/resourcequota (`CheckRequest`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from descheduler.model.admission import ResourceQuota, unit_of
from descheduler.model.bounds import RIVALS
from descheduler.model.format import quantity
from descheduler.model.pods import PodSpec
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.context import Filter, FilterContext
from descheduler.planning.filters.quota_book import QuotaBook


def resource_quota_filters(context: FilterContext) -> Iterator[Filter]:
    """Pods whose replacement a quota would refuse; without quotas there is no filter."""
    if not context.snapshot.quotas:
        return
    judge = _Judge(context)
    yield from context.of_alike(lambda pod: judge.refusal((pod,)))
    yield Filter(Reason.QUOTA, context.nobody(), lambda _: Blocked(Reason.QUOTA), judge.together)


class _Judge:
    """The quotas of one snapshot, asked about pods that leave."""

    def __init__(self, context: FilterContext) -> None:
        self._context = context
        self._book = QuotaBook(context)

    def refusal(self, pods: Sequence[int]) -> Blocked | None:
        """Why pods of one namespace that leave at once would not all be let in again."""
        columns = self._context.columns
        quotas = self._book.of.get(self._context.pods[pods[0]].namespace, ())
        if not quotas:
            return None
        gone = [columns.specs[columns.pod_spec[pod]] for pod in pods]
        made = [columns.specs[columns.pod_remade[pod]] for pod in pods]
        for quota in quotas:
            why = self._beyond(quota, gone, made) or self._outrun(quota, gone, made, pods)
            if why:
                return Blocked(Reason.QUOTA, f"resourcequota/{quota.key}", why)
        return None

    def together(self, pods: Sequence[int]) -> Blocked | None:
        """The same of pods of several namespaces."""
        by_namespace: dict[str, list[int]] = defaultdict(list)
        for pod in pods:
            by_namespace[self._context.pods[pod].namespace].append(pod)
        several = (found for found in by_namespace.values() if len(found) > 1)
        return next((blocked for found in several if (blocked := self.refusal(found)) is not None), None)

    def _beyond(self, quota: ResourceQuota, gone: Sequence[PodSpec], made: Sequence[PodSpec]) -> str:
        """What the quota has against the replacements even when the old pods are gone."""
        if quota.problem:
            return quota.problem
        asked = self._book.asked(quota, made)
        if not asked:
            return ""  # of other pods, by its scopes
        used, returned = self._book.used(quota), self._book.returned(quota, gone)
        for name, most in self._book.limits(quota):
            if not asked.get(name):
                continue
            after = used.get(name, 0) - returned.get(name, 0) + asked[name]
            if after > most:
                return f"{_text(name, after)} with the replacement, {_text(name, most)} is the limit"
            if quota.enforced and all(name != counted for counted, _ in quota.used):
                return f"its status does not tell how much {name} is used"
        return self._book.unstated(quota, made)

    def _outrun(
        self, quota: ResourceQuota, gone: Sequence[PodSpec], made: Sequence[PodSpec], pods: Sequence[int]
    ) -> str:
        """Who waits for the room that the pods give back, and would leave too little of it for their replacements."""
        book, quotas = self._book, self._book.of[quota.namespace]
        rivals = book.waiting.get(quota.namespace, ())
        if len(rivals) > RIVALS:
            return (
                f"{len(rivals)} controllers of the namespace wait for room, more than the {RIVALS} that are looked at"
            )
        owners = {owner.uid for pod in pods if (owner := self._context.pods[pod].controller) is not None}
        for rival in rivals:
            if owners == {rival.owner.uid} or not all(book.fits(one, (rival.spec,), gone) for one in quotas):
                continue
            if book.asked(quota, made) and not book.fits(quota, (rival.spec, *made), gone):
                return f"{rival.owner.kind}/{rival.owner.name} waits for room in it and would take the place"
        return ""


def _text(name: str, value: int) -> str:
    return f"{quantity(unit_of(name), value)} {name}"
