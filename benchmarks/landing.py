"""How often does a moved pod come up where the plan said, on a real control plane with the default scheduler?

Twelve nodes of different fullness, and Deployments whose pods take two seconds to end. Each way of landing gets a
cluster of its own: every pod is planned by the product's prover and carried out by its runner. Directed moves wish for
the node that the scheduler likes least of those with room, which is the hardest case; the others go where the scheduler
probably puts them. A hit: the replacement is on the node that the report names. `came_back`: on its source.
`refused`: moves that the plan did not make.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
import yaml
from _common import Figure, parser, show

from controlplane.binaries import ensure_binaries
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.transport import Unelected
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.execution.directions import unproved
from descheduler.execution.intents import IntentStore
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Finding, Move, Proposal
from descheduler.model.plan import PlanDocument
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from execution.live import QUICK, client_of, deployment, runner
from planning.cases import planned

MANIFESTS = Path(__file__).resolve().parents[1] / "manifests" / "components" / "direct"
NAMESPACE = "descheduler"
NODES = 12
FREE = DisruptionLimits(per_node=None, per_namespace=None, per_workload=None, per_cycle=None, per_hour=None)


@dataclass(frozen=True)
class Everybody:
    """Moves every pod whose name begins so, where it can choose to the node that the scheduler likes least."""

    prefix: str
    name: ClassVar[str] = "Everybody"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def propose(self, view: RebalanceView, _: StrategyArgs) -> Iterable[Proposal]:
        state = view.what_if()
        for at, pod in enumerate(view.snapshot.pods):
            source = state.node_of(at)
            if not pod.name.startswith(self.prefix) or source < 0 or not view.movable[at]:
                continue
            state.remove(at)
            seen = state.outlook(at)
            others = seen.room != source
            wished = int(seen.room[others][np.argmin(seen.totals()[others])]) if others.any() else source
            state.place(at, wished)
            finding = Finding(self.name, Subject(SubjectKind.POD, pod.name), "", 0.0, 1.0, pod.name)
            yield Proposal(finding, (Move(at, source, (wished,)),), 1.0, 1e9 - at)


def main() -> None:
    arguments = parser(__doc__ or "")
    arguments.add_argument("--pods", type=int, default=100, help="pods to move each way (default %(default)s)")
    arguments.add_argument("--seed", type=int, default=1)
    args = arguments.parse_args()
    plane = ControlPlane.start(ensure_binaries())
    figures: dict[str, Figure] = {"pods": args.pods}
    try:
        for mode, key in (
            (LandingMode.DIRECTED, "directed_hit_rate"),
            (LandingMode.STEERED, "steered"),
            (LandingMode.PREDICTED, "plain"),
        ):
            hits, back, moved, refused = _moved(plane, mode, args.pods, args.seed)
            figures[key] = round(hits / max(1, moved), 4)
            figures.update({f"{mode}_moved": moved, f"{mode}_came_back": back, f"{mode}_refused": refused})
            plane.reset()
    finally:
        plane.stop()
    show(f"Where {args.pods} moved pods came up", figures, as_json=args.json)


def _moved(plane: ControlPlane, mode: LandingMode, pods: int, seed: int) -> tuple[int, int, int, int]:
    """Hits, pods on their source again, pods moved, moves refused."""
    _populate(plane, pods, seed)
    acting = runner(plane, limits=replace(QUICK, ready=120.0, observe_every=0.5))
    if mode is LandingMode.DIRECTED:
        _install(plane)
        acting.intents = IntentStore(acting.writer, NAMESPACE)
    snapshot = acting.observe()
    settings = PlanningSettings(landing=mode, limits=FREE)
    document: PlanDocument = planned(
        snapshot, [], [ChosenStrategy(Everybody("mover-"), StrategyArgs())], settings, snapshot.taken_at
    )
    report = acting.execute(document)
    landed = [pod for outcome in report.actions for pod in outcome.pods if pod.evicted]
    hits = sum(pod.landed == pod.move.destination for pod in landed)
    back = sum(pod.landed == pod.move.source for pod in landed)
    return hits, back, len(landed), pods - len(landed)


def _populate(plane: ControlPlane, pods: int, seed: int) -> None:
    """Nodes of 64 cores, 0 to 60 % of which others ask for, and the pods that will move on them."""
    rng, client = Random(seed), plane.client
    names = [f"n{i:02}" for i in range(NODES)]
    for name in names:
        client.create_node(name, cpu="64", memory="256Gi")
    client.wait_for_nodes(*names)
    for name in names:
        filler = deployment(f"filler-{name}", 1, cpu=str(rng.randint(1, 38)), memory=f"{rng.randint(1, 120)}Gi")
        filler["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": name}
        client.apply(filler)
    client.wait_for_pods(NODES)
    for i in range(pods):
        client.apply(_mover(f"mover-{i:03}", rng))
    client.wait_for_pods(NODES + pods, timeout=120.0)


def _mover(name: str, rng: Random) -> dict[str, Any]:
    mover = deployment(name, 1, cpu=f"{rng.choice((500, 1000, 2000))}m", memory=f"{rng.choice((1, 2, 4))}Gi")
    template = mover["spec"]["template"]
    template["metadata"]["annotations"] = {"kubelet.test/stop-after": "2s"}
    template["spec"]["terminationGracePeriodSeconds"] = 30
    return mover


def _install(plane: ControlPlane) -> None:
    plane.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for file in ("policy.yaml", "directions.yaml"):
        for found in yaml.safe_load_all((MANIFESTS / file).read_text()):
            if not found["kind"].startswith("Role"):
                plane.client.apply(found)
    writer = ClusterWriter(client_of(plane), Unelected())
    deadline = time.monotonic() + 30.0
    while (why := unproved(writer, NAMESPACE)) and time.monotonic() < deadline:
        time.sleep(0.2)
    if why:
        raise SystemExit(why)


if __name__ == "__main__":
    main()
