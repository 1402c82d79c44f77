"""Does anything stay half done when the process dies before, or right after, any single write of any protocol?

On a real control plane. For each protocol (`PROTOCOLS`) the benchmark lets one process do all of it and counts its
writes; then, for every write, one dies right before it is sent and another right after it took effect. A heir starts
with nothing but what the cluster holds, does what a start does (take the lease, load the ledger, resume the intents),
and is asked whether anything is `stuck`:

- an intent is still open, or a unit is half evicted;
- a node carries our taint, or a Reservation of ours is left;
- the ledger lacks a pod that was evicted, or has one that was not;
- a workload does not get its ready pods back;
- the heir cannot lead, or write the ledger and the intents.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import structlog
from _common import parser, show

from controlplane.binaries import ensure_binaries
from controlplane.cluster import ControlPlane
from execution.kill_points import PROTOCOLS, Protocol, Stuck, points_of


def main() -> None:
    """Kill at every point, and print the figures."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--protocol", choices=[p.name for p in PROTOCOLS], help="only this one")
    options = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chosen = [p for p in PROTOCOLS if options.protocol in (None, p.name)]
    plane = ControlPlane.start(ensure_binaries())
    try:
        began = time.perf_counter()
        found = {p.name: kill(plane, p) for p in chosen}
        seconds = time.perf_counter() - began
    finally:
        plane.stop()
    points = sum(count for count, _ in found.values())
    stuck = [problem for _, problems in found.values() for problem in problems]
    for problem in stuck:
        print(problem, file=sys.stderr)
    figures = {"points": points, "stuck": len(stuck), "seconds": seconds}
    figures.update({f"points {name}": count for name, (count, _) in found.items()})
    show("Killed before and after every write", figures, as_json=options.json)


def kill(plane: ControlPlane, protocol: Protocol) -> tuple[int, Sequence[Stuck]]:
    """How many points the protocol has, and what stayed half done at which."""
    problems: list[Stuck] = []
    points = points_of(plane, protocol)
    for point in points:
        problems += protocol.die_at(plane, point)
    print(f"{protocol.name}: {len(points)} points, {len(problems)} stuck", file=sys.stderr, flush=True)
    return len(points), problems


if __name__ == "__main__":
    main()
