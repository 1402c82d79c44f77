"""How much the executors of one plan have moved, against the limits of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.executor_rules import ExecutorTraits
from descheduler.policy.amounts import Amount, amount_of


class ExecutorTally:
    """Pods by executor: those of this plan, and `moved` within the last hour before it. `running`: of the cluster, of
    which limits may be a share.
    """

    def __init__(self, moved: Mapping[str, int], running: int) -> None:
        self._moved, self._running = moved, running
        self._planned: Counter[str] = Counter()

    def fork(self) -> ExecutorTally:
        """An independent copy."""
        twin = ExecutorTally(self._moved, self._running)
        twin._planned = Counter(self._planned)
        return twin

    def exceeded(self, way: ExecutorTraits, pods: int) -> Blocked | None:
        """The limit for which so many pods more are too many; None where there is none."""
        planned = self._planned[way.name]
        spent = ((way.limits.per_cycle, planned, "cycle"), (way.limits.per_hour, planned + self._before(way), "hour"))
        for limit, used, what in spent:
            if limit is not None and used + pods > self._cap(limit):
                text = f"per {what}: {used} of {self._cap(limit)} used, {pods} more asked for"
                return Blocked(Reason.EXECUTOR_LIMIT, f"executor/{way.name}", text)
        return None

    def take(self, way: ExecutorTraits, pods: int) -> None:
        """Count them."""
        self._planned[way.name] += pods

    def _before(self, way: ExecutorTraits) -> int:
        return self._moved.get(way.name, 0)

    def _cap(self, limit: Amount) -> int:
        return amount_of(limit, self._running)
