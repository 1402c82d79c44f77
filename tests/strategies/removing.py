"""Plans of the strategies that remove pods, from what the API server says of these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from builders import NOW
from descheduler.contract import load
from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy, Outcome, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from kube import wire_objects as wire
from kube.wire_objects import Json
from planning.cases import outcome

FREE = PlanningSettings(limits=DisruptionLimits())
HOUR, DAY = 3600.0, 86_400.0


def ago(seconds: float) -> str:
    """A time as the API server writes it, so long before the plan."""
    return datetime.fromtimestamp(NOW - seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def container(
    restarts: int = 0, waiting: str = "", ended: str = "", code: int | None = None, name: str = "main"
) -> Json:
    state: Json = {"running": {"startedAt": ago(HOUR)}}
    if waiting:
        state = {"waiting": {"reason": waiting}}
    if ended or code is not None:
        state = {"terminated": {"reason": ended, "exitCode": code or 0}}
    return {"name": name, "ready": False, "restartCount": restarts, "state": state}


def pod(
    name: str,
    age: float = 2 * DAY,
    phase: str = "Running",
    owner: str = "ReplicaSet",
    node: str = "n1",
    namespace: str = "shop",
    containers: Sequence[Json] = (),
    init: Sequence[Json] = (),
    ephemeral: Sequence[Json] = (),
    conditions: Sequence[Json] = (),
    labels: Json | None = None,
    **status: object,
) -> Json:
    group = {"Job": "batch/v1", "": ""}.get(owner, "apps/v1")
    of = {"apiVersion": group, "kind": owner, "name": name.rpartition("-")[0] or name, "uid": "u", "controller": True}
    return wire.pod(
        name,
        namespace=namespace,
        node=node,
        phase=phase,
        metadata={
            "creationTimestamp": ago(age),
            "labels": labels or {},
            **({"ownerReferences": [of]} if owner else {}),
        },
        status={
            "startTime": ago(age),
            "conditions": list(conditions) or [{"type": "Ready", "status": "True", "lastTransitionTime": ago(age)}],
            "containerStatuses": list(containers) or [container()],
            "initContainerStatuses": list(init),
            "ephemeralContainerStatuses": list(ephemeral),
            **status,
        },
    )


def failed(name: str, age: float = 2 * DAY, owner: str = "Job", **rest: object) -> Json:
    return pod(name, age, "Failed", owner, **rest)  # type: ignore[arg-type]


def world(*pods: Json, **kinds: Sequence[Json]) -> ClusterSnapshot:
    nodes = [wire.node("n1"), wire.node("n2")]
    return snapshot_from_objects({"nodes": nodes, "pods": list(pods), **kinds}, NOW)


def decided(snapshot: ClusterSnapshot, name: str, settings: PlanningSettings = FREE, **arguments: object) -> Outcome:
    strategy = load(name)
    chosen = ChosenStrategy(strategy, strategy.Args.model_validate(arguments))
    return outcome(snapshot, chosen=[chosen], settings=settings)


def gone(found: Outcome) -> list[str]:
    """Names of the pods that go, in the order in which they were accepted."""
    return [found.view.snapshot.pods[move.pod].name for one in found.accepted for move in one.proposal.moves]
