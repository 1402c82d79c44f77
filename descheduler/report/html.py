"""The page: one file, readable offline, in light and dark and on paper, with the plan itself inside.

It loads nothing, and its Content-Security-Policy allows nothing but its own style and script, by their hashes. It stays
under a megabyte whatever the size of the cluster: of large plans it shows the part that matters, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from markupsafe import Markup

from descheduler.model import format as fmt
from descheduler.model.plan import Action, FindingRow, GpuMap, NodeRow, PlanDocument
from descheduler.report import charts, gpus, lead, outcomes, words
from descheduler.report.forecast_chart import curve
from descheduler.report.pages import LIVE, asset, environment, source_hash
from descheduler.report.serial import to_json

MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a plan a page shows: rows of each kind."""

    fates: int = 300
    cards: int = 60
    curves: int = 40
    moves: int = 1000
    refusals: int = 2000
    nodes: int = 500
    gpu_nodes: int = 128
    embedded_gpu_nodes: int = 300
    embedded_nodes: int = 2000
    embedded_refusals: int = 4000
    embedded_actions: int = 1000
    embedded_curves: int = 200

    def shrunk(self, factor: float) -> Bounds:
        """Less of everything, but never nothing."""
        return Bounds(**{name: max(1, int(most * factor)) for name, most in asdict(self).items()})


@dataclass(frozen=True, slots=True)
class Card:
    """A finding with what answers it and what was refused for it."""

    finding: FindingRow
    actions: tuple[Action, ...]
    curve: Markup | None
    refusals: tuple[words.Group, ...]
    refused: int
    gain: str = ""
    sure: str = ""


def to_html(plan: PlanDocument, *, max_refusals: int = 2000) -> str:
    """The page of a plan, under a megabyte; `max_refusals` are listed one by one, the counts are always complete.

    Raises:
        DocumentError: the plan holds numbers that are none.
    """
    pictures = _Pictures(plan)
    bounds = Bounds(refusals=max_refusals)
    page = _page(plan, bounds, pictures)
    while (size := len(page.encode())) > MAX_BYTES and bounds != (less := bounds.shrunk(0.8 * MAX_BYTES / size)):
        bounds = less
        page = _page(plan, bounds, pictures)
    return page


class _Pictures:
    """Charts drawn once, whatever the number of tries to make the page fit."""

    def __init__(self, plan: PlanDocument) -> None:
        self._plan = plan
        self._curves: dict[str, Markup] = {}
        self.heat = {r: charts.heat(plan.nodes, r) for r in ("cpu", "memory") if self._known(r)}
        self.gpus = charts.gpus(plan.nodes) if any(node.gpus for node in plan.nodes) else None

    def _known(self, resource: str) -> bool:
        return any(
            charts.peak(n.before, resource) >= 0 or charts.peak(n.after, resource) >= 0 for n in self._plan.nodes
        )

    def curve(self, finding: FindingRow) -> Markup | None:
        if len(finding.curve) < 2 or finding.step_seconds <= 0:
            return None
        if finding.id not in self._curves:
            drawn = curve(finding, self._plan.created, self._plan.horizon_seconds)
            self._curves[finding.id] = Markup(drawn)
        return self._curves[finding.id]


def _page(plan: PlanDocument, bounds: Bounds, pictures: _Pictures) -> str:
    style, script = asset("page", "page.css"), asset("page", "page.js")
    rows = _shown(plan.nodes, bounds.nodes)
    cards, rest = _cards(plan, bounds, pictures)
    moves = [(action, pod) for action in sorted(plan.actions, key=lambda a: a.wave) for pod in action.pods]
    values: dict[str, Any] = {
        "plan": plan,
        "live": Markup(LIVE),
        "fmt": fmt,
        "words": words,
        "verdict": words.verdict(plan),
        "changes": words.changes(plan),
        **_lead_values(plan, bounds),
        "shown": {card.finding.id for card in cards},
        "cards": cards,
        "rest": rest,
        "moves": moves[: bounds.moves],
        "moves_left": max(0, len(moves) - bounds.moves),
        "groups": _cut(words.groups(plan.refusals), bounds.refusals),
        "refused": sum(row.count for row in plan.refusals),
        "nodes": rows,
        "nodes_left": len(plan.nodes) - len(rows),
        "heat": pictures.heat,
        "gpus": pictures.gpus,
        "gpu_counts": _gpu_counts(plan.nodes),
        **_gpu_values(plan, bounds),
        "style": Markup(style),
        "script": Markup(script),
        "style_hash": source_hash(style),
        "script_hash": source_hash(script),
        "embedded": _embedded(plan, bounds),
    }
    return environment("page").get_template("page.html.j2").render(values)


def _lead_values(plan: PlanDocument, bounds: Bounds) -> dict[str, Any]:
    """What the page says before anything else, and what the policy says."""
    fates = lead.fates(plan)
    return {
        "lead": lead,
        "mode": lead.Mode.of(plan),
        "outcomes": outcomes.counts(plan),
        "fates": fates[: bounds.fates],
        "fates_left": max(0, len(fates) - bounds.fates),
        "seconds": lead.seconds(plan),
        "certainty": lead.certainty(plan),
        "noticed": lead.noticed(plan.actions),
        "staying": lead.staying(plan),
        "thresholds": lead.thresholds(plan),
        "changed": sum(bool(row.default) for row in plan.settings),
    }


def _cards(plan: PlanDocument, bounds: Bounds, pictures: _Pictures) -> tuple[list[Card], list[FindingRow]]:
    """Findings with actions first, by strategy and excess; and those that do not get a card."""
    answered = words.by_finding(plan)
    strategies = list(dict.fromkeys(finding.strategy for finding in plan.findings))
    ranked = sorted(plan.findings, key=lambda f: (f.id not in answered, strategies.index(f.strategy), -_excess(f)))
    refused: dict[str, list[Any]] = {}
    for row in plan.refusals:
        refused.setdefault(row.finding, []).append(row)
    cards = []
    for i, finding in enumerate(ranked[: bounds.cards]):
        about = words.groups(refused.get(finding.id, ()))
        curve = pictures.curve(finding) if i < bounds.curves else None
        mine = answered.get(finding.id, ())
        refusals = sum(group.count for group in about)
        cards.append(Card(finding, mine, curve, about, refusals, words.gain(finding, mine), lead.sure(finding)))
    return cards, ranked[bounds.cards :]


def _excess(finding: FindingRow) -> float:
    return abs(finding.value - finding.threshold) / max(abs(finding.threshold), 1e-9)


def _cut(groups: Iterable[words.Group], most: int) -> list[words.Group]:
    """Groups with at most `most` rows in all, shared out evenly; small groups leave their share to large ones."""
    groups = list(groups)
    left, waiting = most, len(groups)
    lengths: dict[str, int] = {}
    for group in sorted(groups, key=lambda g: len(g.rows)):
        lengths[group.reason] = min(len(group.rows), max(1, left // waiting))
        left -= lengths[group.reason]
        waiting -= 1
    return [replace(group, rows=group.rows[: lengths[group.reason]]) for group in groups]


def _changed(node: NodeRow) -> bool:
    return node.before != node.after


def _shown(nodes: Iterable[NodeRow], most: int) -> list[NodeRow]:
    """The nodes that matter most, changed ones first, then the hottest; in the order of the plan."""
    rows = list(nodes)
    if len(rows) <= most:
        return rows
    order = sorted(range(len(rows)), key=lambda i: (not _changed(rows[i]), -rows[i].before.cpu_peak, i))
    return [rows[i] for i in sorted(order[:most])]


def _gpu_values(plan: PlanDocument, bounds: Bounds) -> dict[str, Any]:
    """What the map of devices shows, and whether the picture of counts is needed beside it."""
    view = gpus.view(plan, bounds.gpu_nodes)
    headings, figures = gpus.figures(view.map) if view else ((), [])
    return {
        "gpu_view": view,
        "gpu_capacity": figures,
        "gpu_headings": headings,
        "gpu_steering": gpus.steering(view.map) if view else "",
        "gpu_gangs": gpus.gang_room(view.map) if view else "",
        "gpu_picture": view is None or sum(node.gpus > 0 for node in plan.nodes) > charts.MOST_GPU_NODES,
    }


def _gpu_counts(nodes: Iterable[NodeRow]) -> dict[str, dict[str, float]]:
    """GPUs before and after: used, free on whole nodes, free but scattered."""
    out = {when: {"used": 0.0, "whole": 0.0, "scattered": 0.0} for when in ("before", "after")}
    for node in nodes:
        for when, counts in out.items():
            used = (node.before if when == "before" else node.after).gpus_used
            free = max(0.0, node.gpus - used)
            counts["used"] += used
            counts["whole" if used == 0 else "scattered"] += free
    return out


def _fewer(found: GpuMap | None, most: int) -> GpuMap | None:
    """The map with at most so many nodes, those that change first."""
    if found is None or len(found.nodes) <= most:
        return found
    order = sorted(range(len(found.nodes)), key=lambda i: (found.nodes[i].after is None, i))[:most]
    left = found.left_out + len(found.nodes) - most
    return replace(found, nodes=tuple(found.nodes[i] for i in sorted(order)), left_out=left)


def _embedded(plan: PlanDocument, bounds: Bounds) -> dict[str, Any]:
    """The plan as JSON that cannot end its element early, and in words how many rows were left out of it."""
    nodes = _shown(plan.nodes, bounds.embedded_nodes)
    kept = bounds.embedded_curves
    small = replace(
        plan,
        nodes=tuple(nodes),
        refusals=plan.refusals[: bounds.embedded_refusals],
        actions=plan.actions[: bounds.embedded_actions],
        gpus=_fewer(plan.gpus, bounds.embedded_gpu_nodes),
        findings=(
            *plan.findings[:kept],
            *(replace(f, curve=(), curve_after=(), evidence=None) for f in plan.findings[kept:]),
        ),
    )
    left = {
        "node": len(plan.nodes) - len(nodes),
        "refusal": len(plan.refusals) - len(small.refusals),
        "action": len(plan.actions) - len(small.actions),
        "gpu-node": len(plan.gpus.nodes) - len(small.gpus.nodes) if plan.gpus and small.gpus else 0,
        "curve": sum(bool(finding.curve) for finding in plan.findings[kept:]),
    }
    text = to_json(small).decode()
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return {
        "json": Markup(text),
        "left": left,
        "left_text": ", ".join(fmt.plural(count, name) for name, count in left.items() if count),
    }
