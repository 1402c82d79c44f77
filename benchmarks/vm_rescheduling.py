"""How many free cores become usable again when at most K virtual machines move?

The case of VMR2L (EuroSys 2025): hosts with two NUMA domains, VMs on one domain or half on each. The product takes a
host as a node and a VM as a pod: a policy with SlotDefragmentation plans the cluster, and the moves of the plan are
replayed, wave by wave, with nothing but the file. `fr_start` and `fr_end` are the share of the free cores of active
hosts that no 16-core VM could use, each host taken whole; `executable`: every VM found room at its turn, on both hosts
until its wave was over. `bound` is the lowest rate that any plan of K moves could reach, where proven. `mode` says who
decides where VMs land (see openb.py); `seconds` and `cpu_seconds` run from the snapshot to the plan document.

`--bare` runs the search alone, on NUMA domains as in the paper (keys `bare_…`): a slot must then be free on one domain.
`bare_gap` is how far its rate is above the bound (relative; 0: proven optimal), `bare_seconds` runs from file to plan.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import _common
import _product

if TYPE_CHECKING:
    from _vms import Fleet


def main() -> None:
    parser = _common.parser(__doc__ or "", data=True)
    _product.add_mode(parser)
    parser.add_argument("--case", default="medium.json", help="a file, or one of vm-rescheduling/ in the data folder")
    parser.add_argument("--moves", type=int, default=25, help="VMs that may move (default %(default)s)")
    parser.add_argument("--bare", action="store_true", help="run the search alone as well")
    parser.add_argument("--keep-clusters", action="store_true", help="bare: no VM leaves the cluster that it is in")
    parser.add_argument("--plan-out", type=Path, help="write the moves in order: vm,from_host,to_host")
    parser.add_argument("--bare-plan-out", type=Path, help="those of the bare search: vm,from_host,to_host,numa")
    args = parser.parse_args()
    if args.moves < 1:
        parser.error("--moves: 1 or more")

    import _vms

    from descheduler.model.errors import UsageError

    path = Path(args.case)
    path = path if path.is_file() else _common.require(args.data) / "vm-rescheduling" / args.case
    try:
        fleet = _vms.read(path)
    except UsageError as e:
        sys.exit(str(e))
    asked = {"slot": {"cpu": str(_vms.SLOT)}, "wanted": 100_000, "maxMoves": args.moves, "slotWorth": "52w"}
    policy = _product.policy_of("SlotDefragmentation", asked, args)
    snapshot = _vms.snapshot(fleet)
    began, worked = time.perf_counter(), time.process_time()
    plan = _product.planned(snapshot, policy)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - worked
    waves = [[(one.pod, one.source, one.destination) for one in wave] for wave in _product.waves(plan)]
    rows = [row for wave in waves for row in wave]
    if args.plan_out:
        _vms.write_whole(args.plan_out, rows)
    start, end = _vms.replayed_whole(fleet, []), _vms.replayed_whole(fleet, waves)
    bound = _product.bound_of(plan)
    figures: dict[str, _common.Figure] = {
        "mode": args.mode,
        "fr_start": start.fragment_rate,
        "fr_end": end.fragment_rate,
        "seconds": seconds,
        "executable": not end.fault and len(rows) <= args.moves,
        "moves": len(rows),
        "waves": len(waves),
        "bound": None if bound is None else end.rate(int(bound + 1e-6)),
        "cpu_seconds": cpu_seconds,
        "slots_start": start.slots,
        "slots_end": end.slots,
    }
    if args.bare:
        figures |= bare(path, args)
    figures["peak_mib"] = _common.peak_mib()
    note = end.fault or "; ".join(refusal.detail for refusal in plan.refusals)
    _common.show(f"{path.name}: at most {args.moves} moves, {args.mode}", figures, as_json=args.json, note=note)


def bare(path: Path, args: argparse.Namespace) -> dict[str, _common.Figure]:
    """The search alone, from the file to the plan, with NUMA domains as bins."""
    import _vms

    from descheduler.packing.rearrange.rearrangement import rearrange

    began, worked = time.perf_counter(), time.process_time()
    fleet: Fleet = _vms.read(path)
    problem = _vms.problem(fleet, args.moves, keep_clusters=args.keep_clusters)
    found = rearrange(problem.flows)
    rows = problem.rows(found.moves)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - worked
    if args.bare_plan_out:
        _vms.write(args.bare_plan_out, rows)
    start, end = _vms.replayed(fleet, []), _vms.replayed(fleet, rows)
    # Overcommitted domains take no part in the search; their slots, if any, count on both sides.
    bound = end.rate(max(end.slots, int(found.bound + 1e-6) + end.slots - found.slots))
    return {
        "bare_fr_start": start.fragment_rate,
        "bare_fr_end": end.fragment_rate,
        "bare_seconds": seconds,
        "bare_executable": not end.fault and len(rows) <= args.moves,
        "bare_moves": len(rows),
        "bare_bound": bound,
        "bare_gap": end.fragment_rate / bound - 1 if bound else end.fragment_rate,
        "bare_cpu_seconds": cpu_seconds,
        "bare_slots_start": start.slots,
        "bare_slots_end": end.slots,
        "bare_repeatable": found.repeatable,
    }


if __name__ == "__main__":
    main()
