"""Which executor a plan is carried out by: found by entry point, with the arguments that the policy gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from descheduler.contract import EXECUTORS
from descheduler.execution.executors.protocol import ActingTools, Executor, ExecutorArgs, PodFilter, UnitMover
from descheduler.model.errors import ExecutorError
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class ChosenExecutor:
    """An executor with its arguments."""

    executor: Executor[Any]
    args: ExecutorArgs

    def filter(self, snapshot: ClusterSnapshot) -> PodFilter | None:
        """What says of a pod why it can never be moved on this cluster; None when any can."""
        unserved = self.unserved(snapshot)
        return self.executor.filter(self.args, snapshot) if unserved is None else lambda _: unserved

    def unserved(self, snapshot: ClusterSnapshot) -> Blocked | None:
        """Set where the cluster does not serve an API that the executor needs."""
        served = {kind for kind, freshness in snapshot.freshness.items() if freshness.served}
        lacking = [kind for kind in self.executor.kinds if kind not in served]
        if not lacking:
            return None
        text = f"the cluster does not serve {', '.join(lacking)}"
        return Blocked(Reason.EXECUTOR, f"executor/{self.executor.name}", text)

    def mover(self, tools: ActingTools) -> UnitMover:
        """Who moves units by it during one execution."""
        return self.executor.mover(tools, self.args)


def choose(name: str, args: object = None) -> ChosenExecutor:
    """The installed executor of that name; without arguments, with its defaults. Raises ExecutorError."""
    executor = EXECUTORS.load(name)
    if not isinstance(executor, Executor):
        needs = "name, landing, kinds, rights, manner, Args, filter(), mover()"
        raise ExecutorError(name, f"is not an executor: it needs {needs}")
    if args is None:
        args = executor.Args()
    if not isinstance(args, executor.Args):
        raise ExecutorError(name, f"was given {type(args).__name__} for {executor.Args.__name__}")
    return ChosenExecutor(executor, args)
