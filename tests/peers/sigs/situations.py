"""Situations as tables: a small cluster, a policy of the original, and what leaves under it.

Each file of ``situations/`` has those of one strategy. A situation names

    nodes      name -> what differs from a ready node of 4 cores, 16 GiB and 110 pods
    pods       workload -> where its pods are (``at``: node -> how many) and what they are like
    objects    further objects as they are written to the API server, before the pods
    usage      node -> what metrics.k8s.io says that it uses
    args       the strategy's; ``evictor``: DefaultEvictor's; ``policy``: what stands beside the profiles
    leave      workload -> how many of its pods leave under the original
    ours       the same under ours, where it differs, and ``because``: which of the documented differences it is
    compare    what must agree: ``owners`` (how many of each workload, as a rule), ``places`` (and of each node),
               ``total`` (how many, where the original picks among equals of several workloads)
    row        the scenario of the original's own end-to-end tests that it is
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import yaml

Object = dict[str, Any]

_TABLES: Final = Path(__file__).resolve().parent / "situations"
_NAMESPACE: Final = "shop"


@dataclass(frozen=True, slots=True)
class Workload:
    """Pods of one owner that are alike.

    Attributes:
        at: node -> how many pods.
        kind: of the owner; ``""`` for pods without one.
        namespace: where they are.
        replicas: what the owner asks for; None: as many as run.
        pinned: replacements are made for this node, past the scheduler.
        age: seconds that they are older than pods without one.
        labels: beside ``app``.
        annotations: of the pods.
        usage: what metrics.k8s.io says that each pod uses.
        spec: fields of the pods' specs; ``requests`` and ``limits`` are their only container's.
        status: ``phase``, ``reason``, ``restarts``, ``init_restarts``, ``waiting``, ``terminated``, ``exit_code``,
            ``init_terminated``, ``init_exit_code``, ``started_ago``, ``conditions``; running and ready unless it says
            otherwise.
    """

    name: str
    at: Mapping[str, int]
    kind: str = "ReplicaSet"
    namespace: str = _NAMESPACE
    replicas: int | None = None
    pinned: str = ""
    age: int = 0
    image: str = "test/main"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    usage: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return self.status.get("phase") in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Situation:
    """A row of a table."""

    strategy: str
    name: str
    point: Literal["deschedule", "balance"]
    nodes: Mapping[str, Mapping[str, Any]]
    pods: tuple[Workload, ...]
    leave: Mapping[str, int]
    objects: tuple[Object, ...] = ()
    args: Mapping[str, Any] = field(default_factory=dict)
    evictor: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)
    usage: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ours: Mapping[str, int] | None = None
    because: str = ""
    compare: Literal["owners", "places", "total"] = "owners"
    row: str = ""

    def policy_text(self) -> str:
        """The policy that both are given."""
        configs = [{"name": "DefaultEvictor", "args": dict(self.evictor)}, {"name": self.strategy, "args": self.args}]
        profile = {
            "name": "situation",
            "pluginConfig": configs,
            "plugins": {self.point: {"enabled": [self.strategy]}},
        }
        whole = {"apiVersion": "descheduler/v1alpha2", "kind": "DeschedulerPolicy", **self.policy}
        return yaml.safe_dump({**whole, "profiles": [profile]}, sort_keys=False)


def situations(strategy: str = "all") -> Iterator[Situation]:
    """Those of one strategy, or of all, in the order of the tables.

    Raises:
        KeyError: there is no such strategy.
    """
    tables = [yaml.safe_load(path.read_text()) for path in sorted(_TABLES.glob("*.yaml"))]
    if strategy not in ("all", *(table["strategy"] for table in tables)):
        raise KeyError(strategy)
    for table in tables:
        if strategy in ("all", table["strategy"]):
            for row in table["situations"]:
                yield _situation(table, row)


def _situation(table: Mapping[str, Any], row: Mapping[str, Any]) -> Situation:
    common = {"strategy": table["strategy"], "point": table["point"]}
    rest = {**table.get("unless_said", {}), **row}
    pods = tuple(_workload(name, pods) for name, pods in rest.pop("pods").items())
    nodes = {name: node or {} for name, node in rest.pop("nodes").items()}
    return Situation(nodes=nodes, pods=pods, objects=tuple(rest.pop("objects", ())), **common, **rest)


def _workload(name: str, row: Mapping[str, Any]) -> Workload:
    at = row["at"]
    return Workload(name=name, **{**row, "at": at if isinstance(at, dict) else {at: 1}})
