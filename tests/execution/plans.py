"""Hand-made plan documents, and what is in them: the least that carrying them out needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from descheduler.model.plan import (
    PLAN_FORMAT,
    PLAN_VERSION,
    Action,
    ActionKind,
    CostRow,
    FindingRow,
    PlanDocument,
    PodMove,
    ProofRow,
)

PROOF = ProofRow(candidates=1, expected="n2", expected_share=1.0)


def move(
    pod: str,
    uid: str = "",
    source: str = "n1",
    destination: str = "n2",
    workload: str = "",
    namespace: str = "default",
) -> PodMove:
    """`move("web-1")`: of ReplicaSet web, uid as `builders.pod` makes it."""
    return PodMove(
        namespace,
        pod,
        uid or f"uid-{namespace}-{pod}",
        workload or f"{namespace}/ReplicaSet/{pod.rpartition('-')[0] or pod}",
        source,
        destination,
        {"cpu": "100m"},
        PROOF,
    )


def move_of(pod: Mapping[str, Any], workload: str, destination: str = "n2") -> PodMove:
    """The move of a pod as the API server shows it."""
    meta = pod["metadata"]
    return move(meta["name"], meta["uid"], pod["spec"]["nodeName"], destination, workload, meta["namespace"])


def action(
    *moves: PodMove,
    name: str = "",
    wave: int = 1,
    strategy: str = "HotNodes",
    finding: str = "f1",
    gang: bool = False,
    executor: str = "evict",
) -> Action:
    return Action(
        id=name or f"a-{moves[0].pod}",
        wave=wave,
        strategy=strategy,
        finding=finding,
        unit=f"{moves[0].namespace}/{moves[0].pod}" if not gang else f"native:{moves[0].namespace}/gang",
        gang=gang,
        executor=executor,
        pods=moves,
        benefit=1.0,
        worth=1.0,
        cost=CostRow(1.0, {"restart": 1.0}),
    )


def finding(name: str = "f1", subject: str = "node/n1", strategy: str = "HotNodes") -> FindingRow:
    return FindingRow(
        id=name,
        strategy=strategy,
        subject=subject,
        measure="p95 cpu in the next hour, fraction of allocatable",
        resource="cpu",
        value=0.9,
        threshold=0.75,
        after=0.6,
        outcome="cured",
        text=f"{subject} becomes hot",
    )


def plan(
    *actions: Action,
    findings: Iterable[FindingRow] | None = None,
    name: str = "plan-1",
    created: float = 1_760_000_000.0,
    acting_blocked: str = "",
    problems: Iterable[str] = (),
) -> PlanDocument:
    return PlanDocument(
        format=PLAN_FORMAT,
        version=PLAN_VERSION,
        id=name,
        created=created,
        product="descheduler test",
        cluster="test",
        policy_hash="0" * 16,
        horizon_seconds=3600,
        sources=(),
        findings=(finding(),) if findings is None else tuple(findings),
        actions=actions,
        refusals=(),
        nodes=(),
        summary={"moves": float(sum(len(a.pods) for a in actions))},
        problems=tuple(problems),
        acting_blocked=acting_blocked,
    )


def removal(pod: str, state: str = "Failed", **where: str) -> Action:
    """An action that removes one pod, which was like that."""
    one = replace(move(pod, destination="", **where), state=state)
    return replace(action(one), kind=ActionKind.REMOVE)
