"""Random small clusters, each with something for one strategy of kubernetes-sigs/descheduler to find.

They are tables of the same kind as those of `tests/peers/sigs/situations`, drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any, Final

from peers.sigs.situations import Situation, Workload

ZONES: Final = ("x", "y", "z")
_ZONE: Final = "topology.kubernetes.io/zone"
_HOST: Final = "kubernetes.io/hostname"
_CRASHING: Final = {"waiting": "CrashLoopBackOff", "restarts": 7}


class _Draw:
    """One cluster in the making."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.nodes: dict[str, dict[str, Any]] = {
            f"n{at}": {"cpu": rng.choice(("4", "8")), "zone": ZONES[at % len(ZONES)]} for at in range(rng.randint(3, 6))
        }
        self.free = {name: int(node["cpu"]) * 1000 for name, node in self.nodes.items()}
        self.workloads = [self._workload(f"w{at}") for at in range(rng.randint(3, 6))]

    def _workload(self, name: str) -> Workload:
        """Replicas that crowd on few nodes, as far as there is room."""
        cpu = self.rng.choice((100, 250, 500, 900))
        favoured = self.rng.sample(list(self.nodes), self.rng.randint(1, 2))
        at: dict[str, int] = {}
        for _ in range(self.rng.randint(1, 6)):
            wanted = favoured if self.rng.random() < 0.7 else list(self.nodes)
            able = [n for n in wanted if self.free[n] >= cpu] or [n for n in self.nodes if self.free[n] >= cpu]
            if able:
                node = self.rng.choice(able)
                self.free[node] -= cpu
                at[node] = at.get(node, 0) + 1
        return Workload(name, at, requests={"cpu": f"{cpu}m"})

    def change(self, share: float, change: Callable[[Workload], Workload]) -> None:
        """Change some of the workloads."""
        self.workloads = [change(w) if self.rng.random() < share else w for w in self.workloads]


def random_situation(strategy: str, seed: int) -> Situation:
    """The cluster and the policy that a seed makes for a strategy."""
    draw = _Draw(Random(f"{strategy} {seed}"))
    balances = strategy in _BALANCING
    args = (_BALANCING if balances else _DESCHEDULING)[strategy](draw)
    return Situation(
        strategy=strategy,
        name=f"seed {seed}",
        point="balance" if balances else "deschedule",
        nodes=draw.nodes,
        pods=tuple(w for w in draw.workloads if w.at),
        leave={},
        args=args,
        evictor={"nodeFit": draw.rng.random() < 0.5},
    )


def strategies() -> tuple[str, ...]:
    """Those that there are clusters for."""
    return (*_BALANCING, *_DESCHEDULING)


def _spec(**fields: Any) -> Callable[[Workload], Workload]:
    return lambda workload: replace(workload, spec={**workload.spec, **fields})


def _status(**fields: Any) -> Callable[[Workload], Workload]:
    return lambda workload: replace(workload, status=fields)


def _duplicates(_: _Draw) -> Mapping[str, Any]:
    return {}


def _taints(draw: _Draw) -> Mapping[str, Any]:
    for name in draw.rng.sample(list(draw.nodes), draw.rng.randint(1, 2)):
        draw.nodes[name]["taints"] = ["maintenance=soon:NoSchedule"]
    draw.change(0.3, _spec(tolerations=[{"key": "maintenance", "operator": "Exists"}]))
    return {}


def _affinity(draw: _Draw) -> Mapping[str, Any]:
    for name in draw.rng.sample(list(draw.nodes), 2):
        draw.nodes[name]["labels"] = {"disk": "ssd"}
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]}
    draw.change(0.4, _spec(affinity={"nodeAffinity": required}))
    draw.change(0.3, _spec(affinity={"nodeAffinity": preferred}))
    return {"nodeAffinityType": [*required, *preferred]}


def _apart(draw: _Draw) -> Mapping[str, Any]:
    def from_(app: str) -> dict[str, Any]:
        term = {"topologyKey": _HOST, "labelSelector": {"matchLabels": {"app": app}}}
        return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}

    names = [workload.name for workload in draw.workloads]
    draw.change(0.5, lambda w: replace(w, spec={"affinity": from_(draw.rng.choice((w.name, *names)))}))
    return {}


def _spread(draw: _Draw) -> Mapping[str, Any]:
    def over(workload: Workload) -> Workload:
        constraint = {
            "maxSkew": draw.rng.randint(1, 2),
            "topologyKey": draw.rng.choice((_ZONE, _HOST)),
            "whenUnsatisfiable": draw.rng.choice(("DoNotSchedule", "ScheduleAnyway")),
            "labelSelector": {"matchLabels": {"app": workload.name}},
        }
        return replace(workload, spec={"topologySpreadConstraints": [constraint]})

    draw.change(0.8, over)
    return {"constraints": ["DoNotSchedule", "ScheduleAnyway"]}


def _restarts(draw: _Draw) -> Mapping[str, Any]:
    draw.change(0.4, _status(**_CRASHING))
    return {"podRestartThreshold": 5}


def _life_time(draw: _Draw) -> Mapping[str, Any]:
    draw.change(0.4, _status(**_CRASHING))
    return {"states": ["CrashLoopBackOff"]}


def _failed(draw: _Draw) -> Mapping[str, Any]:
    draw.change(0.4, _status(phase="Failed", reason="Evicted"))
    return {"minPodLifetimeSeconds": 0}


def _low(draw: _Draw) -> Mapping[str, Any]:
    if draw.rng.random() < 0.3:
        return {"useDeviationThresholds": True, "thresholds": {"cpu": 10}, "targetThresholds": {"cpu": 10}}
    return {"thresholds": {"cpu": 30}, "targetThresholds": {"cpu": draw.rng.choice((40, 50, 60))}}


def _high(_: _Draw) -> Mapping[str, Any]:
    return {"thresholds": {"cpu": 30}}


Maker = Callable[[_Draw], Mapping[str, Any]]
"""Changes what was drawn, and gives the arguments of the strategy."""
_BALANCING: Final[Mapping[str, Maker]] = {
    "RemoveDuplicates": _duplicates,
    "LowNodeUtilization": _low,
    "HighNodeUtilization": _high,
    "RemovePodsViolatingTopologySpreadConstraint": _spread,
}
_DESCHEDULING: Final[Mapping[str, Maker]] = {
    "RemovePodsViolatingInterPodAntiAffinity": _apart,
    "RemovePodsViolatingNodeAffinity": _affinity,
    "RemovePodsViolatingNodeTaints": _taints,
    "RemovePodsHavingTooManyRestarts": _restarts,
    "PodLifeTime": _life_time,
    "RemoveFailedPods": _failed,
}
