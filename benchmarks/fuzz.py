"""Does one strange object ever cost the cluster its cycle?

Strange objects of every kind that is read (tests/hostile: valid ones of each kind, then mutated by type, size, depth,
references, and every label, annotation and field that the program knows) are put beside a healthy cluster, a thousand
to a cycle, and go through the real codec, the snapshot, all built-in strategies, the plan and its report. A cycle is
lost when anything raises, when a strategy fails, when data is said to stop everything, when a plan or a line of it has
grown out of bounds, or when anything is decided about the healthy pods that is not decided without the strangers (in
every fourth cycle these run among the others, where that cannot be asked). Lost cycles are listed on standard error
with their number; the same seed gives the same objects.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import _common

if TYPE_CHECKING:
    from hostile.cycle import Tally

BLOCK = 20_000  # objects of one seed
SHOWN = 20


def main() -> None:
    options = _options()
    began = time.perf_counter()
    figures: Counter[str] = Counter(objects=0, cycles=0, cycles_lost=0, problems=0)
    slowest, where = 0.0, ""
    for seed, tally in _blocks(options):
        lost = len(tally.lost)
        figures.update(objects=tally.objects, cycles=tally.cycles, cycles_lost=lost, problems=tally.problems)
        if tally.slowest > slowest:
            slowest, where = tally.slowest, f"seed {seed}, cycle {tally.slowest_cycle}"
        for number, why in tally.lost[:SHOWN]:
            print(f"seed {seed}, cycle {number}: {why}", file=sys.stderr, flush=True)
        passed = time.perf_counter() - began
        print(
            f"{figures['objects']} objects, {figures['cycles_lost']} lost, {passed:.0f} s", file=sys.stderr, flush=True
        )
    seconds = time.perf_counter() - began
    _common.show(
        f"Strange objects, seeds from {options.seed}",
        {
            **figures,
            "slowest_ms": slowest * 1000,
            "slowest_cycle": where,
            "peak_mib": _common.peak_mib(),
            "seconds": seconds,
            "objects_per_second": figures["objects"] / seconds,
            "processes": options.processes,
            "seed": options.seed,
        },
        as_json=options.json,
    )


def _blocks(options: argparse.Namespace) -> Iterator[tuple[int, Tally]]:
    """Each block's seed, and what came of it."""
    starts = range(0, options.objects, BLOCK)
    jobs = [(options.seed + i, min(BLOCK, options.objects - at), options.batch) for i, at in enumerate(starts)]
    seeds = [seed for seed, _, _ in jobs]
    if options.processes <= 1:
        yield from zip(seeds, (_run(*job) for job in jobs), strict=True)
        return
    with ProcessPoolExecutor(options.processes) as pool:
        yield from zip(seeds, pool.map(_run, *zip(*jobs, strict=True)), strict=True)


def _options() -> argparse.Namespace:
    arguments = _common.parser(__doc__ or "")
    arguments.add_argument("--objects", type=int, default=20_000, help="strange objects in all (default %(default)s)")
    arguments.add_argument("--batch", type=int, default=1000, help="of them in one cycle (default %(default)s)")
    arguments.add_argument("--seed", type=int, default=0, help="that of the first block; the others follow it")
    arguments.add_argument("--processes", type=int, default=1)
    options: argparse.Namespace = arguments.parse_args()
    return options


def _run(seed: int, objects: int, batch: int) -> Tally:
    from hostile.cycle import run

    return run(seed, objects, batch)


if __name__ == "__main__":
    main()
