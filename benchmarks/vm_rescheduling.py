"""How many free cores become usable again when at most K virtual machines move?

The case of VMR2L (EuroSys 2025): hosts with two NUMA domains, VMs on one domain or half on each. The fragment rate is
the share of the free cores of active hosts that no 16-core VM on one domain could use. `fr_start` and `fr_end` are
taken from the file and from a replay of the plan's rows, which shares no code with the search; `executable`: every row
found room at its turn, with the VM on both hosts meanwhile. `bound` is the lowest rate that any plan of K moves could
reach (proven), `gap` how far `fr_end` is above it (relative; 0: proven optimal). `seconds` runs from file to plan.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import _common


def main() -> None:
    parser = _common.parser(__doc__ or "", data=True)
    parser.add_argument("--case", default="medium.json", help="a file, or one of vm-rescheduling/ in the data folder")
    parser.add_argument("--moves", type=int, default=25, help="VMs that may move (default %(default)s)")
    parser.add_argument("--keep-clusters", action="store_true", help="no VM leaves the cluster of the file it is in")
    parser.add_argument("--plan-out", type=Path, help="write the moves in order: vm,from_host,to_host,numa")
    args = parser.parse_args()
    if args.moves < 0:
        parser.error("--moves: 0 or more")

    import _vms

    from descheduler.model.errors import UsageError
    from descheduler.packing.rearrange.rearrangement import rearrange

    path = Path(args.case)
    path = path if path.is_file() else _common.require(args.data) / "vm-rescheduling" / args.case
    began, worked = time.perf_counter(), time.process_time()
    try:
        fleet = _vms.read(path)
    except UsageError as e:
        sys.exit(str(e))
    problem = _vms.problem(fleet, args.moves, keep_clusters=args.keep_clusters)
    found = rearrange(problem.flows)
    rows = problem.rows(found.moves)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - worked

    start, end = _vms.replayed(fleet, []), _vms.replayed(fleet, rows)
    if args.plan_out:
        _vms.write(args.plan_out, rows)
    if end.fault:
        print(end.fault, file=sys.stderr)
    # Overcommitted domains take no part in the search; their slots, if any, count on both sides.
    aside = end.slots - found.slots
    bound = end.rate(max(end.slots, int(found.bound + 1e-6) + aside))
    figures = {
        "fr_start": start.fragment_rate,
        "fr_end": end.fragment_rate,
        "seconds": seconds,
        "executable": not end.fault and len(rows) <= args.moves,
        "moves": len(rows),
        "bound": bound,
        "gap": end.fragment_rate / bound - 1 if bound else end.fragment_rate,
        "peak_mib": _common.peak_mib(),
        "cpu_seconds": cpu_seconds,
        "slots_start": start.slots,
        "slots_end": end.slots,
        "repeatable": found.repeatable,
    }
    _common.show(f"{path.name}: at most {args.moves} moves", figures, as_json=args.json)


if __name__ == "__main__":
    main()
