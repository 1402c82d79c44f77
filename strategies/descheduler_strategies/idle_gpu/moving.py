"""What is done about idle pods where the policy lets them be moved: whole units move that are idle altogether."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from descheduler.contract import GPU_WEIGHT, Accept, RebalanceView, Scenario, relocate
from descheduler.model.arrays import Mask, Positions
from descheduler.model.moves import Finding, Observation, Proposal, Tried
from descheduler.model.reasons import Blocked, Reason
from descheduler_strategies.idle_gpu.args import IdleGpuArgs
from descheduler_strategies.idle_gpu.judgement import Judged


class IdleMover:
    """Moves idle pods to nodes that are in use already, as far as the limits of one plan go."""

    def __init__(self, view: RebalanceView, args: IdleGpuArgs, seen: Judged) -> None:
        self._view = view
        self._args = args
        self._held = seen.held
        self._row = {int(pod): row for row, pod in enumerate(seen.held.pods)}
        self._idle = frozenset(seen.held.pods[seen.idle].tolist())
        self._state: Scenario = view.what_if()
        self._left = args.max_moves
        self._moved: set[int] = set()
        nodes, columns = view.snapshot.nodes, view.snapshot.columns
        self._count = np.fromiter((n.gpus.physical if n.gpus else 0 for n in nodes), np.int64, len(nodes))
        # The column that counts the units of a node whose units are no devices, -1 for others.
        resources = (n.gpus.resource if n.gpus and n.gpus.sliced else "" for n in nodes)
        self._units = np.fromiter((columns.resource(r) if r else -1 for r in resources), np.int64, len(nodes))

    def answers(self, finding: Finding, pods: tuple[int, ...]) -> Iterator[Proposal | Observation]:
        """Proposals for the idle pods of one workload, or why there are none."""
        moved, refusal = 0, Blocked(Reason.NO_CURE, str(finding.subject), "no idle pod of it may be moved")
        tried: list[Tried] = []
        for pod in pods:
            if pod in self._moved or not self._view.movable[pod]:
                continue
            answer = self._move(finding, pod)
            if isinstance(answer, Blocked):
                refusal = answer
                tried.append(Tried(self._view.moving(pod), answer))
                continue
            self._moved.update(move.pod for move in answer.moves)
            moved += 1
            yield answer
        if not moved and not self._moved.issuperset(pods):
            yield Observation(finding, refusal, pods, tuple(tried))

    def _move(self, finding: Finding, pod: int) -> Proposal | Blocked:
        """The pod's unit moves, and who shares its GPU with it, if all that would restart is idle."""
        view, users = self._view, self._users(pod)
        members = list(dict.fromkeys(member for user in users for member in view.moving(user)))
        restarting = (p for user in users for p in view.units.restarting(user))
        busy = next((p for p in restarting if p not in self._idle), None)
        if busy is not None:
            why = "would restart with it" if busy not in users else "shares its GPU, which is free when all have left"
            return Blocked(Reason.NO_CURE, f"pod/{view.snapshot.pods[busy].key}", f"{why}, and is not known to be idle")
        if len(members) > self._left:
            return Blocked(Reason.NO_CURE, str(finding.subject), f"more than {self._args.max_moves} moves")
        moved = relocate(view, self._state, users, self._in_use, max_risk=self._args.max_risk, bad=Reason.CLOSES_SLOT)
        if isinstance(moved, Blocked):
            return moved
        self._state = moved.state
        self._left -= len(moved.moves)
        gpus = sum(float(self._held.gpus[self._row[p]]) for p in members if p in self._row)
        return Proposal(
            finding=finding,
            moves=moved.moves,
            benefit=-gpus,  # so many fewer without work
            worth=gpus * GPU_WEIGHT * self._args.freed_worth.total_seconds(),
            note=f"restarts what is idle on {round(gpus, 2):g} GPUs, on a node in use",
        )

    def _users(self, pod: int) -> tuple[int, ...]:
        """The pod and all that are, or may be, on the same GPU: it is free only when all have left."""
        held, row = self._held, self._row[pod]
        if not held.shares[row]:
            return (pod,)
        node = self._view.snapshot.columns.pod_node[held.pods]
        there = held.shares & (node == node[row])
        if held.group[row] >= 0:
            there &= (held.group == held.group[row]) | (held.group < 0)
        return tuple(p for p in held.pods[there].tolist() if p not in self._moved)

    def _in_use(self, state: Scenario, _: int) -> Accept:
        """Accepts nodes on which some GPU is held already: an idle pod must not open a free node."""

        def used(nodes: Positions) -> Mask:
            whole = state.whole_gpus()[nodes] < self._count[nodes]
            column = self._units[nodes]
            rows = np.arange(len(nodes))
            allocatable = self._view.snapshot.columns.allocatable[nodes]
            held = state.free(nodes)[rows, column] < allocatable[rows, column]
            out: Mask = np.where(column >= 0, held, whole)
            return out

        return used
