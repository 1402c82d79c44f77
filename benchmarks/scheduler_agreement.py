"""Whether our scheduler predicates agree with the real kube-scheduler, and how often the predicted node is right.

Starts a real control plane, makes many small random clusters in it (taints, affinities of every kind, spread
constraints, ports, volumes, extended resources, init and sidecar containers, overhead), creates pending pods, and
compares where the scheduler puts them, or why it cannot, with what we say.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from _common import parser, show, table

from agreement.claims import KINDS as CLAIM_CLASSES
from agreement.compare import Tally, run
from agreement.manifests import CLASSES
from controlplane.binaries import ensure_binaries
from controlplane.cluster import ControlPlane


def main() -> None:
    """Compare, and print the figures."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--cases", type=int, default=1000, help="decisions to compare")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--dra", action="store_true", help="clusters with devices of drivers, pods with claims")
    arguments.add_argument("--details", action="store_true", help="print every disagreement and every missed landing")
    options = arguments.parse_args()
    plane = ControlPlane.start(ensure_binaries())
    try:
        began = time.perf_counter()
        tally = run(plane, options.cases, options.seed, _say, claims=options.dra)
        seconds = time.perf_counter() - began
    finally:
        plane.stop()
    if options.details:
        for found in tally.disagreements:
            print(f"{found.kind} {found.pod}: {found.what} [{found.explained}] {found.detail}")
        for miss in tally.misses:
            print(f"missed: {miss}")
        for reason, nodes in tally.refusals.most_common():
            print(f"{nodes} nodes: {reason}")
    _report(tally, seconds, CLAIM_CLASSES if options.dra else CLASSES, as_json=options.json)


def _say(cases: int) -> None:
    print(f"{cases} cases", file=sys.stderr, flush=True)


def _report(tally: Tally, seconds: float, classes: Sequence[str], *, as_json: bool) -> None:
    rates = {kind: tally.hit_rate(kind) for kind in classes}
    figures = {
        "cases": tally.cases,
        "placed": tally.placed,
        "unexplained": len(tally.unexplained),
        "landing_hit_rate_one_node": round(tally.alone_hits.total() / max(tally.alone.total(), 1), 4),
        "seconds": round(seconds, 1),
    }
    if as_json:
        nested = {"disagreements": tally.by_class(), "landing_hit_rate": {"all": tally.hit_rate(), **rates}}
        print(json.dumps({**figures, **nested}), flush=True)
        return
    columns = ("class", "placed", "landing hit rate", "one likeliest node", "of these hit", "disagreements")
    rows = [
        (kind, tally.landed[kind], rates[kind], tally.alone[kind], tally.alone_hits[kind], tally.disagreed(kind))
        for kind in classes
    ]
    table("By class", columns, rows, note="a hit: the pod is on a node that we called likeliest (several may be equal)")
    show("Agreement with kube-scheduler", {**figures, "landing_hit_rate": tally.hit_rate()}, as_json=False)


if __name__ == "__main__":
    main()
