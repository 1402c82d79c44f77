"""What can be looked at: each thing is a page below `/history/` and the same as JSON below `/api/v1/`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from descheduler.archive.answers import (
    Found,
    NodeHistory,
    PlanHistory,
    PolicyHistory,
    RefusalHistory,
    Timeline,
    WorkloadHistory,
)
from descheduler.archive.reading import Reader
from descheduler.model.errors import UsageError

HISTORY, API, OPENAPI = "/history", "/api/v1", "/openapi.json"
DAYS, LONGEST = 7.0, 3650.0

Answer = Timeline | PlanHistory | WorkloadHistory | NodeHistory | RefusalHistory | PolicyHistory | Found
Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class View:
    """`path` as OpenAPI writes it, with at most one parameter, which may hold slashes; `page` is a file in `pages/`.

    `queries` are the names of its query parameters. `ask` gets the parameter of the path, "" without one, and raises
    UsageError for what it cannot take, ArchiveError for what cannot be read.
    """

    path: str
    page: str
    text: str
    kind: type[Answer]
    ask: Callable[[Reader, str, Query], Answer | None]
    queries: tuple[str, ...] = ()

    @property
    def parameter(self) -> str:
        """The name of the path's parameter, "" without one."""
        found = re.search(r"\{(\w+)\}", self.path)
        return found[1] if found else ""

    def matches(self, path: str) -> str | None:
        """The value of the path's parameter, "" without one; None for another's path."""
        if not self.parameter:
            return "" if path == self.path else None
        head = self.path.partition("{")[0]
        return path.removeprefix(head) or None if path.startswith(head) else None


def _days(query: Query) -> float:
    text = query.get("days", str(DAYS))
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0.0 < days <= LONGEST:
        raise UsageError(f"days: a number above 0, at most {LONGEST:g}")
    return days


VIEWS = (
    View(
        "/timeline",
        "timeline.html.j2",
        "The plans of some days, and sums by hour.",
        Timeline,
        lambda reader, _, query: reader.timeline(_days(query)),
        ("days",),
    ),
    View(
        "/plans/{plan}",
        "plan.html.j2",
        "One plan: findings, moves and what came of them, refusals.",
        PlanHistory,
        lambda reader, plan, _: reader.plan(plan),
    ),
    View(
        "/workloads/{workload}",
        "workload.html.j2",
        "The moves of a workload's pods, by namespace/Kind/name.",
        WorkloadHistory,
        lambda reader, workload, _: reader.workload(workload),
    ),
    View(
        "/nodes/{node}",
        "node.html.j2",
        "What was found about a node, and moves from it and to it.",
        NodeHistory,
        lambda reader, node, _: reader.node(node),
    ),
    View(
        "/refusals",
        "refusals.html.j2",
        "What was not done, by day and reason.",
        RefusalHistory,
        lambda reader, _, query: reader.refusals(_days(query)),
        ("days",),
    ),
    View(
        "/policies",
        "policies.html.j2",
        "The policies that came into force, the newest first.",
        PolicyHistory,
        lambda reader, _, __: reader.policies(),
    ),
    View(
        "/search",
        "search.html.j2",
        "Plans, workloads, nodes and pods by a part of their name.",
        Found,
        lambda reader, _, query: reader.search(query.get("q", "").strip()),
        ("q",),
    ),
)
