"""Koordinator's gangs: by PodGroup of scheduling.sigs.k8s.io, by annotations alone, or by two labels alone.

Sources: koordinator apis/extension/coscheduling.go; pkg/scheduler/plugins/coscheduling/core/gang.go. The three ways
share one name space (a gang is "namespace/name"). With the match policy `only-waiting` a lone replacement can never
reach the minimum again (`isGangValidForPermit`), so such a gang restarts whole. `groups` bundles gangs, also of other
namespaces: they are admitted together or not at all. Each gang of a bundle lists them all (a bundle is known by its
list, `GetGangGroupId`), so one that is not listed by those it lists is in no bundle with them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from descheduler.gangs.lookup import Lookup
from descheduler.gangs.spec_reading import count, positive
from descheduler.gangs.vocabulary import BaseDialect, GangKey, Rank, Terms
from descheduler.model.bounds import LINKS
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.units import Consequence, DisruptionMode

GROUP = "scheduling.sigs.k8s.io"
CRD_LABEL = "pod-group.scheduling.sigs.k8s.io"
LIGHT_NAME, LIGHT_MIN = f"{CRD_LABEL}/name", f"{CRD_LABEL}/min-available"
GANG = "gang.scheduling.koordinator.sh"
NAME, MIN, GROUPS, POLICY = f"{GANG}/name", f"{GANG}/min-available", f"{GANG}/groups", f"{GANG}/match-policy"
POLICY_ALIAS = f"{CRD_LABEL}/match-policy"
_POLICIES = ("only-waiting", "waiting-and-running", "once-satisfied")


class Koordinator(BaseDialect):
    name = "koordinator"
    rank = Rank.POD_GROUP
    labels = frozenset({CRD_LABEL, LIGHT_NAME})
    annotations = frozenset({NAME})

    def membership(self, pod: Pod, lookup: Lookup) -> tuple[GangKey, ...]:
        del lookup
        names = (pod.labels.get(CRD_LABEL), pod.labels.get(LIGHT_NAME), pod.annotations.get(NAME))
        return tuple(GangKey(self.name, pod.namespace, name) for name in dict.fromkeys(names) if name)

    def terms(self, gang: GangKey, members: Sequence[Pod], lookup: Lookup) -> Terms:
        by_object = any(CRD_LABEL in p.labels for p in members)
        stated = self._by_object(gang, lookup) if by_object else _by_pods(gang, members)
        if isinstance(stated, Blocked):
            return Terms(blocked=stated)
        minimum, marks = stated
        policy = _one(
            gang, {marks[k] for k in (POLICY, POLICY_ALIAS) if marks.get(k)} or {_POLICIES[-1]}, "match-policy"
        )
        if isinstance(policy, Blocked):
            return Terms(blocked=policy)
        if policy not in _POLICIES:
            return Terms(blocked=_unclear(gang, f"match-policy {policy!r} is not known"))
        linked = self._linked(gang, marks.get(GROUPS, ""))
        if isinstance(linked, Blocked):
            return Terms(blocked=linked)
        if policy == "only-waiting":
            return Terms(minimum, DisruptionMode.WHOLE, Consequence.GROUP_RESTARTS, linked)
        return Terms(minimum, None, Consequence.RESCHEDULED, linked)

    def _by_object(self, gang: GangKey, lookup: Lookup) -> tuple[int, dict[str, str]] | Blocked:
        found = lookup.find(GROUP, "PodGroup", gang.namespace, gang.name)
        if isinstance(found, Blocked):
            return found
        minimum = positive(found, "minMember")
        return minimum if isinstance(minimum, Blocked) else (minimum, dict(found.annotations))

    def _linked(self, gang: GangKey, written: str) -> tuple[GangKey, ...] | Blocked:
        if not written:
            return ()
        try:
            named = json.loads(written)
        except ValueError:
            return _unclear(gang, f"groups is not JSON: {written}")
        if not isinstance(named, list) or not all(isinstance(n, str) and n.count("/") == 1 for n in named):
            return _unclear(gang, f"groups is not a list of namespace/gang: {written}")
        if len(named) > LINKS:
            return _unclear(gang, f"groups names {len(named)} gangs, more than the {LINKS} that are looked at")
        keys = (GangKey(self.name, *n.split("/")) for n in named)
        return tuple(key for key in keys if key != gang)


def _by_pods(gang: GangKey, members: Sequence[Pod]) -> tuple[int, dict[str, str]] | Blocked:
    """What the pods say; they must all say the same."""
    minima = {p.annotations.get(MIN) or p.labels.get(LIGHT_MIN) or "" for p in members}
    written = _one(gang, minima, "min-available")
    if isinstance(written, Blocked):
        return written
    minimum = count(written)
    if not minimum:
        return _unclear(gang, f"min-available is {written!r}")
    marks: dict[str, str] = {}
    for key in (GROUPS, POLICY, POLICY_ALIAS):
        value = _one(gang, {p.annotations.get(key, "") for p in members}, key)
        if isinstance(value, Blocked):
            return value
        marks[key] = value
    return minimum, marks


def _one(gang: GangKey, values: set[str], what: str) -> str | Blocked:
    if len(values) == 1:
        return next(iter(values))
    return _unclear(gang, f"{what} differs: {', '.join(sorted(v or '(unset)' for v in values))}")


def _unclear(gang: GangKey, detail: str) -> Blocked:
    return Blocked(Reason.GANG_AMBIGUOUS, str(gang), detail)
