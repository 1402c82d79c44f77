"""Pods that stand together though the required anti-affinity of one of them forbids it.

Schedulers look at newcomers only: nobody asks about labels that change later, or pods that came by another way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Mask, Positions
from descheduler.scheduler.placement import Placement


@dataclass(frozen=True, eq=False, slots=True)
class Clash:
    """Pods of one domain of `topology_key`: each of the `carriers` has a term that matches all of the `matched`, and
    forbids all of these but itself. Positions, ascending; who carries the term and matches it is among both."""

    topology_key: str
    carriers: Positions
    matched: Positions


def clashes(placement: Placement, moved: Collection[int]) -> Iterator[Clash]:
    """All of them, each term by itself, without pods that terminate and those that are `moved` already."""
    absent = placement.terminating.copy()
    absent[list(moved)] = True
    for term, classes in placement.anti_terms():
        carriers = _there(placement, classes, absent)
        matched = _there(placement, placement.matching(term), absent) if len(carriers) else carriers
        if not len(matched):
            continue
        topology = placement.labels.topology(term.topology_key)
        of_carriers = topology.domain[placement.node_of[carriers]]
        of_matched = topology.domain[placement.node_of[matched]]
        for domain in _with_both(of_carriers, of_matched, carriers, matched).tolist():
            if domain != topology.size:
                yield Clash(term.topology_key, carriers[of_carriers == domain], matched[of_matched == domain])


def _there(placement: Placement, classes: Collection[int], absent: Mask) -> Positions:
    """[K] live pods of the classes, ascending."""
    pods = placement.classes.live_of(np.fromiter(classes, np.int64, len(classes)))
    return np.sort(pods[~absent[pods]]).astype(np.int32)


def _with_both(of_carriers: Positions, of_matched: Positions, carriers: Positions, matched: Positions) -> Positions:
    """Domains in which a carrier meets somebody else who is matched."""
    ordered = np.sort(of_matched)
    met = np.searchsorted(ordered, of_carriers, "right") - np.searchsorted(ordered, of_carriers, "left")
    if not met.any():
        return of_carriers[:0]
    found: Positions = np.unique(of_carriers[met > np.isin(carriers, matched)])
    return found
