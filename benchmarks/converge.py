"""Does the cluster come to rest under a strategy, and after how many evictions, against the original?

Random small clusters under each of the ten strategies of kubernetes-sigs/descheduler, on a real control plane whose
scheduler puts replacements where it likes (under HighNodeUtilization one that likes full nodes, as its documentation
demands). One pass follows the other, each once all replacements run or are known to find no place, until a pass evicts
nobody. Neither side remembers anything between passes: our cooldown would make any strategy quiet.

`cycles`: passes until quiet, in the mean. `evictions`: of all cases together. `loops`: cases that were not quiet after
MOST passes, or where a workload lost more than twice as many pods as it has. The same of the real binary as `their …`;
`worse`: cases in which ours evicted more.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from _common import Figure, parser, show, table
from _converging import random_situation, strategies

from controlplane.binaries import ensure_binaries
from controlplane.client import condition
from controlplane.cluster import ControlPlane
from peers.binaries import SIGS_DESCHEDULER, ensure_built
from peers.sigs.contenders import ours, theirs
from peers.sigs.staging import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peers.sigs.situations import Object, Situation

MOST = 10


@dataclass
class Walk:
    """What became of one cluster: evictions of each workload by pass, the last pass without any."""

    passes: list[Counter[str]] = field(default_factory=list)
    sizes: Counter[str] = field(default_factory=Counter)

    @property
    def evictions(self) -> int:
        return sum(sum(one.values()) for one in self.passes)

    @property
    def loops(self) -> bool:
        lost = sum(self.passes, Counter[str]())
        return bool(self.passes[-1]) or any(count > 2 * self.sizes[name] for name, count in lost.items())

    @property
    def row(self) -> tuple[int, int, int]:
        return len(self.passes), self.evictions, int(self.loops)


@dataclass(frozen=True, slots=True)
class Case:
    """One cluster, walked through by both."""

    situation: Situation
    our: Walk
    their: Walk

    @property
    def row(self) -> tuple[Figure, ...]:
        return (f"{self.situation.strategy}, {self.situation.name}", *self.our.row, *self.their.row)


class Field:
    """A control plane on which clusters are walked through."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self._stage = Stage(plane.client)

    def walk(self, situation: Situation, run: Callable[[], object]) -> Walk:
        """Pass after pass, from the situation on."""
        out = Walk()
        try:
            before = self._stage.staged(situation, self._clear)
            out.sizes = Counter(workload for workload, _ in before.values())
            while len(out.passes) < MOST and (not out.passes or out.passes[-1]):
                run()
                self._forget()
                after = self._stage.pods(situation)
                out.passes.append(Counter(name for uid, (name, _) in before.items() if uid not in after))
                self.plane.client.wait_for(lambda: self._settled(situation), what="replacements")
                before = self._stage.pods(situation)
            return out
        finally:
            self._clear()

    def _clear(self) -> None:
        self.plane.reset(keep_namespaces=True)

    def _forget(self) -> None:
        """What a controller keeps of its past."""
        for found in self.plane.client.list("ConfigMap", "default"):
            if found["metadata"]["name"] != "kube-root-ca.crt":
                self.plane.client.delete("ConfigMap", found["metadata"]["name"])

    def _settled(self, situation: Situation) -> bool:
        """Whether there are as many pods as are asked for, and each runs or is known to find no place."""
        client = self.plane.client
        asked = {w.name: w for w in situation.pods if w.kind}
        pods = [p for p in client.list("Pod") if p["metadata"].get("labels", {}).get("app") in asked]
        alive = Counter(p["metadata"]["labels"]["app"] for p in pods if _alive(p))
        wanted = Counter({name: 0 if w.over else sum(w.at.values()) for name, w in asked.items()})
        return alive == wanted and all(_stands(pod) for pod in pods)


def main() -> None:
    arguments = parser(__doc__ or "")
    arguments.add_argument("--seeds", type=int, default=3, help="clusters for each strategy (default: %(default)s)")
    arguments.add_argument("--cases", default="all", help="all, or those of one strategy (default: %(default)s)")
    args = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chosen = [name for name in strategies() if args.cases in ("all", name)]
    if not chosen:
        sys.exit(f"no strategy {args.cases}: {', '.join(strategies())}")
    cases = [case for packing in (False, True) for case in _walked(chosen, args.seeds, packing=packing)]
    if not args.json:
        columns = ("case", "cycles", "evictions", "loops", "their cycles", "their evictions", "their loops")
        table("Cases", columns, [case.row for case in cases])
    show("Until quiet", figures(cases), as_json=args.json)


def _walked(chosen: list[str], seeds: int, *, packing: bool) -> Iterator[Case]:
    """The cases whose scheduler packs, or those whose does not."""
    mine = [name for name in chosen if (name == "HighNodeUtilization") is packing]
    if not mine:
        return
    binary = ensure_built(SIGS_DESCHEDULER) / "descheduler"
    with _field(packing) as (ground, policy):
        for situation in (random_situation(name, seed) for name in mine for seed in range(seeds)):
            policy.write_text(situation.policy_text())
            their = ground.walk(situation, lambda: theirs(binary, ground.plane, policy))
            our = ground.walk(situation, lambda: ours(ground.plane, policy))
            yield Case(situation, our, their)


@contextmanager
def _field(packing: bool) -> Iterator[tuple[Field, Path]]:
    plane = ControlPlane.start(ensure_binaries(), packing=packing)
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Field(plane), Path(folder) / "policy.yaml"
    finally:
        plane.stop()


def figures(cases: list[Case]) -> dict[str, Figure]:
    """Sums of both, and how often ours evicted more."""
    return {
        "cases": len(cases),
        **_sums([case.our for case in cases]),
        **{f"their {key}": value for key, value in _sums([case.their for case in cases]).items()},
        "worse": sum(case.our.evictions > case.their.evictions for case in cases),
    }


def _sums(walks: list[Walk]) -> dict[str, Figure]:
    return {
        "cycles": sum(len(walk.passes) for walk in walks) / max(1, len(walks)),
        "evictions": sum(walk.evictions for walk in walks),
        "loops": sum(walk.loops for walk in walks),
    }


def _alive(pod: Object) -> bool:
    return pod["status"].get("phase") not in ("Succeeded", "Failed") and "deletionTimestamp" not in pod["metadata"]


def _stands(pod: Object) -> bool:
    if not _alive(pod):
        return "deletionTimestamp" not in pod["metadata"]
    return pod["status"]["phase"] == "Running" or condition(pod, "PodScheduled") == "False"


if __name__ == "__main__":
    main()
