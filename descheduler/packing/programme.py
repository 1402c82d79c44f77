"""A small builder of sparse mixed-integer linear programmes, solved by HiGHS through SciPy.

Variables come in blocks, rows as coordinate arrays; nothing is assembled coefficient by coefficient. This is the only
place of `packing` that calls an optimiser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import coo_array, csr_array, vstack

from descheduler.model.arrays import Floats, Ints

_HIGHS_STATUS = re.compile(r"HiGHS Status (\d+)")


class SolveStatus(Enum):
    """How a solve ended."""

    OPTIMAL = "optimal"
    """Proved, within the gap that was asked for."""
    WORK = "work"
    """The limit on branch-and-bound nodes ended it: the same again on every run."""
    TIME = "time"
    """The safety net on seconds ended it: another run may end elsewhere."""
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    FAILED = "failed"
    """The solver gave up for numerical reasons."""


_INFEASIBLE_OR_UNBOUNDED = 9
_KNOWN = {13: SolveStatus.TIME, 14: SolveStatus.WORK, 16: SolveStatus.WORK}


@dataclass(frozen=True, slots=True)
class WorkLimits:
    """When to stop: `nodes` of branch and bound (1: the root alone), `gap` relative between the incumbent and the
    bound, and `seconds` as a safety net only, for an answer that it cuts short cannot be repeated."""

    nodes: int = 10_000
    gap: float = 0.0
    seconds: float = 60.0


@dataclass(frozen=True, eq=False, slots=True)
class Solution:
    """The best point found.

    `values` [V] of the variables, whole numbers exactly where asked for; `objective` at that point; `bound` proven:
    no point is better; `gap` = |bound - objective| / max(1, |objective|); `nodes` explored. `prices` [H] of the rows,
    of a relaxed solve only: by how much the objective would change for each unit more on the right-hand side.
    """

    values: Floats
    objective: float
    bound: float
    gap: float
    status: SolveStatus
    nodes: int = 0
    prices: Floats | None = None


@dataclass(frozen=True, slots=True)
class Infeasible:
    """No point: there is none if `proven`, else none was found within the limits; `bound` as in Solution (may be
    infinite)."""

    status: SolveStatus
    bound: float

    @property
    def proven(self) -> bool:
        """Whether there is no point at all."""
        return self.status is SolveStatus.INFEASIBLE


@dataclass(eq=False, slots=True)
class Programme:
    """minimise (or `maximise`) cost · x  subject to  lower <= A x <= upper and bounds, some of x whole numbers."""

    maximise: bool = False
    width: int = 0
    """Number of variables so far."""
    height: int = 0
    """Number of rows so far."""
    _variables: list[tuple[Floats, Floats, Floats, Floats]] = field(default_factory=list)
    _entries: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    _sides: list[tuple[Floats, Floats]] = field(default_factory=list)

    def add(
        self,
        count: int,
        *,
        lower: ArrayLike = 0.0,
        upper: ArrayLike = np.inf,
        cost: ArrayLike = 0.0,
        integer: ArrayLike = True,
    ) -> Ints:
        """A block of `count` variables; every argument is one value or [count]. Returns their columns [count]."""
        self._variables.append(
            (_filled(lower, count), _filled(upper, count), _filled(cost, count), _filled(integer, count))
        )
        self.width += count
        return np.arange(self.width - count, self.width, dtype=np.int64)

    def constrain(
        self,
        count: int,
        row: ArrayLike,
        column: ArrayLike,
        value: ArrayLike = 1.0,
        *,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
    ) -> None:
        """`count` rows more: the entries (`row` in 0..count-1, `column`, `value`), all broadcast to one another.

        Entries for the same place add up; `lower` and `upper` are one value or [count].
        """
        rows, columns, values = np.broadcast_arrays(np.asarray(row), np.asarray(column), np.asarray(value, np.float64))
        rows, columns = rows.ravel().astype(np.int64), columns.ravel().astype(np.int64)
        if len(rows) and not (
            0 <= rows.min() <= rows.max() < count and 0 <= columns.min() <= columns.max() < self.width
        ):
            raise ValueError("an entry lies outside its rows or names a variable that was not added")
        self._entries.append((rows + self.height, columns, values.ravel()))
        self._sides.append((_filled(lower, count), _filled(upper, count)))
        self.height += count

    def solve(self, limits: WorkLimits, *, relaxed: bool = False) -> Solution | Infeasible:
        """The best point within the limits; `relaxed` drops all integrality (a bound and prices, quickly)."""
        if not self.width:
            return self._empty()
        if relaxed:
            return self._relaxed(limits)
        lower, upper, cost, integer = (np.concatenate(part) for part in zip(*self._variables, strict=True))
        sign = -1.0 if self.maximise else 1.0
        matrix, low, high = self._rows()
        answer = milp(
            sign * cost,
            integrality=integer,
            bounds=Bounds(lower, upper),
            constraints=LinearConstraint(matrix, low, high) if self.height else (),
            options={
                "node_limit": limits.nodes,
                "mip_rel_gap": limits.gap,
                "time_limit": limits.seconds,
                "presolve": True,
            },
        )
        status = _status(answer.status, str(answer.message), bool(np.isfinite([lower, upper]).all()))
        bound = answer.mip_dual_bound if answer.mip_dual_bound is not None else answer.fun
        bound = sign * (-np.inf if bound is None else float(bound))
        if answer.x is None:
            return Infeasible(status, bound)
        values = np.asarray(answer.x, dtype=np.float64)
        values = np.where(integer > 0, np.rint(values), values)
        objective = float(cost @ values)
        gap = abs(bound - objective) / max(1.0, abs(objective))
        return Solution(values, objective, bound, gap, status, int(answer.mip_node_count or 0))

    def _relaxed(self, limits: WorkLimits) -> Solution | Infeasible:
        lower, upper, cost, _ = (np.concatenate(part) for part in zip(*self._variables, strict=True))
        sign = -1.0 if self.maximise else 1.0
        matrix, low, high = self._rows()
        fixed, capped, floored = low == high, (high < np.inf) & (low != high), (low > -np.inf) & (low != high)
        answer = linprog(  # type: ignore[call-overload]  # the stubs know no sparse matrices here, linprog does
            sign * cost,
            A_ub=vstack([matrix[capped], -matrix[floored]]),
            b_ub=np.concatenate([high[capped], -low[floored]]),
            A_eq=matrix[fixed],
            b_eq=high[fixed],
            bounds=np.column_stack([lower, upper]),
            method="highs",
            options={"time_limit": limits.seconds},
        )
        status = _status(answer.status, str(answer.message), bool(np.isfinite([lower, upper]).all()))
        if status is not SolveStatus.OPTIMAL:
            return Infeasible(status, -sign * np.inf)
        prices = np.zeros(self.height)
        prices[fixed] = answer.eqlin.marginals
        prices[capped] += answer.ineqlin.marginals[: capped.sum()]
        prices[floored] -= answer.ineqlin.marginals[capped.sum() :]
        objective = sign * float(answer.fun)
        return Solution(np.asarray(answer.x), objective, objective, 0.0, status, 0, sign * prices)

    def _rows(self) -> tuple[csr_array, Floats, Floats]:
        if not self.height:
            return csr_array((0, self.width)), np.empty(0), np.empty(0)
        row, column, value = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        lower, upper = (np.concatenate(part) for part in zip(*self._sides, strict=True))
        return coo_array((value, (row, column)), shape=(self.height, self.width)).tocsr(), lower, upper

    def _empty(self) -> Solution | Infeasible:
        if any((low > 0).any() or (high < 0).any() for low, high in self._sides):
            return Infeasible(SolveStatus.INFEASIBLE, 0.0)
        return Solution(np.empty(0), 0.0, 0.0, 0.0, SolveStatus.OPTIMAL)


def _filled(value: ArrayLike, count: int) -> Floats:
    return np.array(np.broadcast_to(np.asarray(value, dtype=np.float64), (count,)))


def _status(code: int, message: str, bounded: bool) -> SolveStatus:
    """SciPy folds what HiGHS says (HighsModelStatus) into few codes; its number stands in the message only."""
    found = _HIGHS_STATUS.search(message)
    number = int(found[1]) if found else 0
    if number == _INFEASIBLE_OR_UNBOUNDED and bounded:
        return SolveStatus.INFEASIBLE
    if number in _KNOWN:
        return _KNOWN[number]
    return {0: SolveStatus.OPTIMAL, 2: SolveStatus.INFEASIBLE, 3: SolveStatus.UNBOUNDED}.get(code, SolveStatus.FAILED)
