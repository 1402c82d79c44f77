"""Waits until the real scheduler has decided on every probe, and helps on where one would wait for nothing.

Two things leave a probe with claims undecided for minutes on a slow machine:

- Of the claims that were made for a pod, kube-controller-manager names only some in its status. It applies the names of
  those that its cache of claims did not have yet, and so takes away the others, which it had (`syncPod` in
  kubernetes/pkg/controller/resourceclaim/controller.go). To the scheduler these are "not created yet" for ever. So the
  names of what was made are written for it.
- A pod that was refused is tried again only when something happens that its plug-ins wait for, or after five minutes
  (pkg/scheduler/backend/queue/scheduling_queue.go), and its condition is written once for each try. A new device class
  has every pod tried again that waits for devices, as it would in any cluster.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection
from typing import Any

from agreement.manifests import Manifest
from controlplane.client import ApiClient

Key = tuple[str, str]

_TIMEOUT = 240.0
_NUDGE_AFTER = 10.0
# What the scheduler says of a claim that is on its way, or of a write that it repeats.
_PASSES = re.compile(
    r"in the process of being allocated|not created yet|waiting for|cannot find|could not find|not found"
    r"|deallocation of|is being deleted|running (?:Pre)?Bind plugin|object has been modified|timed out"
)


def decisions(client: ApiClient, known: Collection[Key], wanted: int) -> dict[int, Manifest]:
    """By case number, the probe's pod once the scheduler has decided on it.

    Args:
        client: of the control plane.
        known: pods that are no probes of this turn, by namespace and name.
        wanted: number of probes.

    Raises:
        TimeoutError: some are undecided after minutes; it tells what is known of each.
    """

    def probes() -> list[Manifest]:
        return [pod for pod in client.list("Pod") if _key(pod) not in known]

    def all_decided() -> dict[int, Manifest]:
        nudge()
        found = {_case(pod): pod for pod in probes() if _decided(pod)}
        return found if len(found) == wanted else {}

    nudge = _nudges(client, probes)
    try:
        return client.wait_for(all_decided, _TIMEOUT, what="the scheduler's decisions")
    except TimeoutError as late:
        left = [_told(client, pod) for pod in probes() if not _decided(pod)]
        raise TimeoutError("\n".join((f"{late} on {wanted} probes; undecided are", *left))) from None


def refusal(pod: Manifest) -> str:
    """The scheduler's words, empty while it has not decided."""
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition.get("reason") in ("Unschedulable", "SchedulerError"):
            message = str(condition.get("message") or "no message")
            passes = pod["spec"].get("resourceClaims") and _PASSES.search(message)
            return "" if passes else message
    return ""


def _nudges(client: ApiClient, probes: Callable[[], list[Manifest]]) -> Callable[[], None]:
    """What helps on, once every ten seconds."""
    last = time.monotonic()

    def nudge() -> None:
        nonlocal last
        if time.monotonic() - last < _NUDGE_AFTER:
            return
        last = time.monotonic()
        for pod in probes():
            if not _decided(pod):
                _name_claims(client, pod)
        name = {"name": "nudge"}
        if client.get_or_none("DeviceClass", "nudge"):
            client.delete("DeviceClass", "nudge")
        client.create({"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": name, "spec": {}})

    return nudge


def _name_claims(client: ApiClient, pod: Manifest) -> None:
    """Write into a pod's status which claims were made for it, where the status lacks one of them."""
    namespace, name = _key(pod)
    made = {
        of: claim["metadata"]["name"]
        for claim in client.list("ResourceClaim", namespace)
        if any(owner["uid"] == pod["metadata"]["uid"] for owner in claim["metadata"].get("ownerReferences") or ())
        # The claim for extended resources has none.
        and (of := claim["metadata"]["annotations"].get("resource.kubernetes.io/pod-claim-name"))
    }
    named = {one["name"] for one in pod.get("status", {}).get("resourceClaimStatuses") or ()}
    if named < made.keys():
        whole = [{"name": one, "resourceClaimName": claim} for one, claim in sorted(made.items())]
        client.patch_status("Pod", name, {"resourceClaimStatuses": whole}, namespace)


def _decided(pod: Manifest) -> bool:
    return bool(pod["spec"].get("nodeName") or refusal(pod))


def _told(client: ApiClient, pod: Manifest) -> str:
    """All that may explain why a pod waits."""
    namespace, name = _key(pod)
    claims: list[Any] = [
        {"name": claim["metadata"]["name"], "spec": claim["spec"], "status": claim.get("status")}
        for claim in client.list("ResourceClaim", namespace)
    ]
    events = [
        f"{event.get('reason')}: {event.get('message')}"
        for event in client.list("Event", namespace)
        if event["involvedObject"].get("name") == name
    ]
    asked = pod["spec"].get("resourceClaims")
    return f"{namespace}/{name} asks {asked}\n  " + "\n  ".join(
        (json.dumps(pod.get("status")), *(json.dumps(claim) for claim in claims), *events)
    )


def _case(pod: Manifest) -> int:
    return int(pod["metadata"]["namespace"].split("-")[1])


def _key(pod: Manifest) -> Key:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]
