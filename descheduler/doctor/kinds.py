"""What was read of the cluster: the kinds without which nothing is decided, and those of optional APIs."""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.doctor.checks import Check, failure, ok, warning
from descheduler.doctor.given import Given
from descheduler.kube.client.discovery import Discovered
from descheduler.kube.convert.kinds import KINDS, OPTIONAL
from descheduler.model.format import plural
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.freshness import FreshnessRules, kind_states
from descheduler.planning.sources import named, sizes

AREA = "cluster"


def served_kinds(served: Discovered) -> Iterator[Check]:
    """Kinds that the cluster has only in versions that cannot be read."""
    for kind, why in served.unknown:
        mend = "a later version of the descheduler may know them"
        yield failure(AREA, kind.key, why, mend)


def kinds(snapshot: ClusterSnapshot, given: Given, served: Discovered | None) -> Iterator[Check]:
    """How many objects there are of each kind that is read; `served` None: what a recording holds."""
    rules = FreshnessRules.of(given.policy.freshness, given.policy.history)
    count = sizes(snapshot)
    for state in kind_states(snapshot.freshness, rules, snapshot.taken_at):
        if state.stop:
            yield failure(AREA, state.kind, state.stop, "see the permissions above, and the API server's own health")
    listed = [f"{count.get(key, 0)} {key}" for key, kind in KINDS.items() if kind.core and count.get(key)]
    yield ok(AREA, "read", f"{plural(len(snapshot.nodes), 'node')} and {plural(len(snapshot.pods), 'pod')}", listed)
    if not snapshot.nodes or not snapshot.pods:
        yield warning(
            AREA, "read", "there is nothing to plan on", "is this the right cluster (--kubeconfig, --context)?"
        )
    versions = {endpoint.kind.key: endpoint.version for endpoint in served.served} if served is not None else {}
    fresh = {key for key, one in snapshot.freshness.items() if one.served}
    there = [kind.key for kind in OPTIONAL if kind.key in fresh or kind.key in snapshot.objects]
    for key in there:
        version = f"served as {versions[key]}, " if key in versions else ""
        yield ok(AREA, key, f"{version}{plural(count.get(key, 0), 'object')}")
    absent = [kind.key for kind in OPTIONAL if kind.key not in there]
    if absent:
        yield ok(AREA, "optional APIs", f"{len(absent)} of {len(OPTIONAL)} are not served, and none is needed", absent)
    for problem in named(snapshot.problems):
        mend = "what it touches takes no part in a plan until it is set right"
        yield failure(AREA, "unreadable object", problem, mend)
