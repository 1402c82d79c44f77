"""Pods whose replacements would be held to the same node by a resource claim, or of whose claims nobody knows what they
would be given.

A claim that stands by itself is taken its devices from when no pod uses it any more (kubernetes
pkg/controller/resourceclaim). Until then the scheduler puts all its pods where the devices are, the replacement of one
that still ends, too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from descheduler.model.dra import ResourceClaim
from descheduler.model.fence import Unreadable
from descheduler.model.pods import PodSpec
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.context import Filter, FilterContext
from descheduler.scheduler.claims.wanted import Existing, Wishes, wishes_of


def claim_unknown_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods of whose replacements' claims nobody can say what they would be given; none where no pod has claims."""
    yield from _filters(context, Reason.CLAIM_UNKNOWN)


def claim_stays_filter(context: FilterContext) -> Iterator[Filter]:
    """Pods whose replacements are held to the node; none where no pod has claims."""
    yield from _filters(context, Reason.CLAIM_STAYS)


def _filters(context: FilterContext, reason: Reason) -> Iterator[Filter]:
    columns = context.columns
    wishes = wishes_of(context.snapshot)
    claiming = np.array([wishes.claiming(spec) for spec in columns.specs], np.bool_)
    if not claiming.any():
        return
    blocked: dict[int, Blocked] = {}
    for at in np.flatnonzero(claiming[columns.pod_remade] & context.bound).tolist():
        found = _stopped(context, wishes, at, columns.specs[columns.pod_remade[at]])
        if found is not None and found.reason is reason:
            blocked[at] = found
    mask = context.nobody()
    mask[list(blocked)] = True
    yield Filter(reason, mask, blocked.__getitem__)


def _stopped(context: FilterContext, wishes: Wishes, at: int, made: PodSpec) -> Blocked | None:
    pod = context.pods[at]
    try:
        wanted = wishes.replacement(pod.namespace, made)
    except Unreadable as error:
        return Blocked(Reason.CLAIM_UNKNOWN, context.name(at), str(error))
    for one in wanted.claims:
        claim = wishes.claims[one.at] if isinstance(one, Existing) else None
        if claim is not None and claim.allocated and _only_here(context, claim, pod.node):
            users = len(claim.holders)
            text = "" if users < 2 else f"{users} pods use it"
            return Blocked(Reason.CLAIM_STAYS, f"resourceclaim/{claim.namespace}/{claim.name}", text)
    return None


def _only_here(context: FilterContext, claim: ResourceClaim, node: str) -> bool:
    """Whether no other node than this can use what the claim was given."""
    if claim.terms is None:
        return False
    named = {value for term in claim.terms for one in term.fields for value in one.values}
    if named and all(term.fields for term in claim.terms):
        return named <= {node}
    others = (other for other in context.snapshot.nodes if other.name != node)
    return not any(term.matches(other.labels, other.name) for other in others for term in claim.terms)
