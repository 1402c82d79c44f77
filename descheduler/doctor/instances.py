"""Who acts on this cluster: the holder of the lease, and deschedulers of others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from descheduler.apiwrite.wire import Lease
from descheduler.apiwrite.writer import LeaseWriter
from descheduler.doctor.checks import Check, fenced, ok, warning
from descheduler.doctor.given import Given
from descheduler.kube.client.connection import KubeClient
from descheduler.model.format import span
from descheduler.model.snapshot import ClusterSnapshot

AREA = "instances"
_OURS = "descheduler"  # the last part of the image's name, of ours and of the Kubernetes SIG's alike
_LEASE_SECONDS = 15.0
_NAMED = 3


def lease(client: KubeClient, given: Given) -> Iterator[Check]:
    """Who leads. That nobody does, or that we may not look, stands in no plan's way."""
    name = f"{given.namespace}/{given.lease}"

    def look() -> Iterator[Check]:
        found = LeaseWriter(client, given.namespace, given.lease).read()
        holder = (found.spec.holder_identity if found is not None else None) or ""
        if found is None or not holder:
            yield ok(AREA, "lease", f"nobody holds the lease {name}: no controller acts here")
            return
        yield _held(name, holder, found, given.now())

    for check in fenced(AREA, "lease", look):
        refused = check.verdict.value == "failure"
        yield warning(AREA, "lease", f"who leads is not known: {check.text}", check.mend) if refused else check


def _held(name: str, holder: str, found: Lease, now: float) -> Check:
    duration = float(found.spec.lease_duration_seconds or _LEASE_SECONDS)
    try:
        age = now - datetime.fromisoformat(found.spec.renew_time or "").timestamp()
    except ValueError:
        return warning(AREA, "lease", f"{holder} holds the lease {name}, and it does not say since when")
    if age > 2 * duration:
        text = f"{holder} holds the lease {name} and renewed it last {span(age)} ago: no controller acts now"
        return warning(AREA, "lease", text, "look at the controller's pod and its log")
    return ok(AREA, "lease", f"{holder} leads, by the lease {name} renewed {span(max(0.0, age))} ago")


def others(snapshot: ClusterSnapshot, given: Given) -> Iterator[Check]:
    """Pods of other deschedulers: two that move the same pods undo one another's work."""
    columns = snapshot.columns
    suspects = {
        row
        for row, spec in enumerate(columns.specs)
        if any(image.partition("@")[0].rpartition("/")[2].partition(":")[0] == _OURS for image in spec.images)
    }
    rows = columns.pod_spec.tolist() if suspects else ()
    pods = [snapshot.pods[at] for at, row in enumerate(rows) if row in suspects]
    found = [pod for pod in pods if not pod.terminal and pod.namespace != given.namespace]
    if not found:
        yield ok(AREA, "others", "no pod of another descheduler runs")
        return
    names = ", ".join(pod.key for pod in found[:_NAMED]) + (", …" if len(found) > _NAMED else "")
    text = f"pods of another descheduler run ({names}): two that act on the same pods undo one another's work"
    yield warning(AREA, "others", text, "let one of them act: the other in dry-run, or for other namespaces")
