"""Does one strange object ever cost the cluster its cycle?

Strange objects of every kind that is read (tests/hostile: valid ones of each kind, then mutated by type, size, depth,
references, and every label, annotation and field that the program knows) are put beside a healthy cluster, a thousand
to a cycle, and go through the real codec, the snapshot, all built-in strategies, the plan and its report. A cycle is
lost when anything raises, when a strategy fails, when data is said to stop everything, when a plan or a line of it has
grown out of bounds, or when anything is decided about the healthy pods that is not decided without the strangers. Lost
cycles are listed on standard error with their number; the same seed gives the same objects.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import _common

SHOWN = 20


def main() -> None:
    options = _options()
    share = -(-options.objects // options.processes)
    jobs = [
        (options.seed + i, min(share, options.objects - i * share), options.batch) for i in range(options.processes)
    ]
    began = time.perf_counter()
    if options.processes == 1:
        tallies = [_run(*jobs[0])]
    else:
        with ProcessPoolExecutor(options.processes) as pool:
            tallies = list(pool.map(_run, *zip(*jobs, strict=True)))
    seconds = time.perf_counter() - began
    for (seed, _, _), tally in zip(jobs, tallies, strict=True):
        for number, why in tally.lost[:SHOWN]:
            print(f"seed {seed}, cycle {number}: {why}", file=sys.stderr, flush=True)
    slowest = max(tallies, key=lambda t: t.slowest)
    _common.show(
        f"Strange objects, seed {options.seed}",
        {
            "objects": sum(t.objects for t in tallies),
            "cycles": sum(t.cycles for t in tallies),
            "cycles_lost": sum(len(t.lost) for t in tallies),
            "problems": sum(t.problems for t in tallies),
            "slowest_ms": slowest.slowest * 1000,
            "slowest_cycle": slowest.slowest_cycle,
            "peak_mib": _common.peak_mib(),
            "seconds": seconds,
            "objects_per_second": sum(t.objects for t in tallies) / seconds,
            "processes": options.processes,
            "seed": options.seed,
        },
        as_json=options.json,
    )


def _options() -> argparse.Namespace:
    arguments = _common.parser(__doc__ or "")
    arguments.add_argument("--objects", type=int, default=20_000, help="strange objects in all (default %(default)s)")
    arguments.add_argument("--batch", type=int, default=1000, help="of them in one cycle (default %(default)s)")
    arguments.add_argument("--seed", type=int, default=0, help="the first process's; the others follow it")
    arguments.add_argument("--processes", type=int, default=1)
    options: argparse.Namespace = arguments.parse_args()
    return options


def _run(seed: int, objects: int, batch: int) -> Any:
    from hostile.cycle import run

    return run(seed, objects, batch)


if __name__ == "__main__":
    main()
