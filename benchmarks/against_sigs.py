"""Does our descheduler do what the Kubernetes SIG's does, and if not, is the difference one that we tell?

The real binary of kubernetes-sigs/descheduler and our controller are given the same policies on the same real control
plane, in the situations of `tests/peers/sigs/situations`, with real evictions; everything is put back in between.
`agree`: the same number of pods of each workload leaves. `documented`: it differs as the table says, by a difference
that `docs/from-sigs-descheduler.md` has, and our plan's own refusals show it. `unexplained`: anything else.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import structlog
from _common import Figure, parser, show

from controlplane.binaries import ensure_binaries
from controlplane.cluster import ControlPlane
from peers.binaries import SIGS_DESCHEDULER, ensure_built
from peers.sigs.comparing import Comparison, Kind, Verdict
from peers.sigs.situations import situations


def main() -> None:
    arguments = parser(__doc__ or "")
    arguments.add_argument("--cases", default="all", help="all, or those of one strategy (default: %(default)s)")
    args = arguments.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    verdicts = []
    for verdict in compared(args.cases):
        verdicts.append(verdict)
        if verdict.kind is Kind.UNEXPLAINED:
            print(verdict, file=sys.stderr, flush=True)
    show("Against kubernetes-sigs/descheduler", figures(verdicts), as_json=args.json)


def compared(strategy: str) -> Iterator[Verdict]:
    """The verdicts of all situations of a strategy, one by one."""
    binary = ensure_built(SIGS_DESCHEDULER) / "descheduler"
    plane = ControlPlane.start(ensure_binaries())
    try:
        with tempfile.TemporaryDirectory() as folder:
            comparison = Comparison(plane, binary, Path(folder))
            yield from map(comparison.of, situations(strategy))
    finally:
        plane.stop()


def figures(verdicts: list[Verdict]) -> dict[str, Figure]:
    kinds = Counter(verdict.kind for verdict in verdicts)
    out: dict[str, Figure] = {"cases": len(verdicts), **{kind.value: kinds[kind] for kind in Kind}}
    by_strategy = Counter((verdict.situation.strategy, verdict.kind) for verdict in verdicts)
    for strategy in sorted({strategy for strategy, _ in by_strategy}):
        out |= {f"{strategy} {kind.value}": by_strategy[strategy, kind] for kind in Kind}
    return out


if __name__ == "__main__":
    main()
