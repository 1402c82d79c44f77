"""Does any plan ever do what no plan may? Random clusters with every kind of constraint, planned and checked.

Each state is one seed: a small cluster (tests/generated/clusters.py), a random policy, the built-in strategies and, in
half of the states, one that proposes anything at all. The checker (tests/invariants) shares no code with planning, the
scheduler or the gangs: from the snapshot and the document it walks the waves and looks for budgets exceeded, gangs
torn, nodes over capacity at any prefix, places the scheduler would not allow, limits passed, protected pods touched,
pods moved too soon after a move or outside every window, replacements that a quota would not let in, plans that differ
for the same input, and documents that do not add up. Seeds with violations are listed on standard error.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import _common

BLOCK = 200  # seeds handed to a process at a time
SHOWN = 20
REPORTED = 10_000

_pool: list[Any] = []  # of this process: the usage pool, built once by `_prepare`


def main() -> None:
    options = _options()
    began = time.perf_counter()
    figures: Counter[str] = Counter(states=0, violations=0, plans_with_moves=0, plans_with_waves=0, moves=0)
    kinds: Counter[str] = Counter()
    for states, plans, waves, moves, wrong in _blocks(options):
        figures.update(states=states, plans_with_moves=plans, plans_with_waves=waves, moves=moves)
        if figures["states"] % REPORTED < BLOCK and figures["states"] < options.states:
            print(f"{figures['states']} states, {figures['violations']} violations", file=sys.stderr, flush=True)
        for seed, kind, detail in wrong:
            figures["violations"] += 1
            kinds[kind] += 1
            if figures["violations"] <= SHOWN:
                print(f"seed {seed}: {kind}: {detail}", file=sys.stderr, flush=True)
    if kinds:
        print(f"by kind: {dict(kinds)}", file=sys.stderr)
    _common.show(
        f"Invariants of plans, seeds {options.seed} to {options.seed + options.states - 1}",
        {**figures, "seconds": time.perf_counter() - began, "processes": options.processes},
        as_json=options.json,
    )


def _options() -> argparse.Namespace:
    arguments = _common.parser(__doc__ or "")
    arguments.add_argument("--states", type=int, default=2000, help="how many clusters (default %(default)s)")
    arguments.add_argument("--seed", type=int, default=0, help="the first seed; the others follow it")
    arguments.add_argument("--processes", type=int, default=1)
    options: argparse.Namespace = arguments.parse_args()
    return options


Found = tuple[int, int, int, int, list[tuple[int, str, str]]]


def _blocks(options: argparse.Namespace) -> Iterator[Found]:
    end = options.seed + options.states
    blocks = [range(s, min(s + BLOCK, end)) for s in range(options.seed, end, BLOCK)]
    if options.processes <= 1:
        _prepare()
        yield from map(_examine, blocks)
        return
    with ProcessPoolExecutor(options.processes, initializer=_prepare) as pool:
        yield from pool.map(_examine, blocks)


def _prepare() -> None:
    # This folder holds a module of the same name as the package of the checker, which must be found first.
    sys.path[0] = _common.TESTS
    from generated.usage import UsagePool

    _pool.append(UsagePool.build())


def _examine(seeds: range) -> Found:
    from invariants.running import examine

    plans = waves = moves = 0
    wrong: list[tuple[int, str, str]] = []
    for seed in seeds:
        found = examine(seed, _pool[0])
        plans += found.moves > 0
        waves += found.waves > 1
        moves += found.moves
        wrong += [(seed, v.kind, v.detail) for v in found.violations]
    return len(seeds), plans, waves, moves, wrong


if __name__ == "__main__":
    main()
