"""GpuDefragmentation: free GPU capacity that is scattered is made usable again, with few moves.

Free GPUs that are scattered over nodes are of no use to a job that needs eight of them together. Three objectives, each
in a file of its own: whole `slots` of a shape are opened by vacating nodes; room is made for what is `pending`; FGD's
measure of `fragmentation` is lowered. Searches on arrays say which pods should leave; whether they then land well is
tried on the what-if state, where the scheduler's own predicates and scores decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.model.columns import Columns
from descheduler.model.dra import driver_for
from descheduler.model.moves import Observation, Proposal
from descheduler_strategies.gpu_defragmentation import fragmentation as gpu_fragmentation
from descheduler_strategies.gpu_defragmentation import pending as gpu_pending
from descheduler_strategies.gpu_defragmentation import slots as gpu_slots
from descheduler_strategies.gpu_defragmentation.args import NAME, GpuDefragmentationArgs


class GpuDefragmentation:
    """See the module."""

    name: ClassVar[str] = NAME
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = GpuDefragmentationArgs

    def propose(self, view: RebalanceView, args: GpuDefragmentationArgs) -> Iterable[Proposal | Observation]:
        """Bundles of moves for the objective, the best for its cost first."""
        objectives = {
            "slots": gpu_slots.propose,
            "pending": gpu_pending.propose,
            "fragmentation": gpu_fragmentation.propose,
        }
        counted = _counted(view.snapshot.columns, args.resource)
        return objectives[args.objective](view, args.model_copy(update={"resource": counted}))


def _counted(columns: Columns, resource: str) -> str:
    """The resource; where no node offers it, but its vendor's driver gives out GPUs by claims, that driver."""
    driver = driver_for(resource)
    return driver if columns.resource(driver) >= 0 and not _offered(columns, resource) else resource


def _offered(columns: Columns, resource: str) -> bool:
    column = columns.resource(resource)
    return column >= 0 and bool(columns.allocatable[:, column].any())
