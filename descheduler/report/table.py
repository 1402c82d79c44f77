"""The plan in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from descheduler.model import format as fmt
from descheduler.model.plan import Action, BudgetRow, FindingRow, PlanDocument, PodMove
from descheduler.report import lead, table_gpus, words
from descheduler.report.cells import plain, section
from descheduler.report.cells import table as _table

_OUTCOME = {"cured": "green", "eased": "yellow", "unanswered": "red", "left-alone": "cyan"}
_LONGEST = 64  # characters of a name that are kept on one line
_STATE = {"fresh": "green", "stale": "red", "partial": "red", "absent": "dim"}


def render(plan: PlanDocument, console: Console, *, wide: bool = False, hints: Iterable[str] = ()) -> None:
    """Print the plan. `wide` adds columns, the data it rests on and every refusal; `hints` are next steps to offer."""
    for part in _parts(plan, wide, tuple(hints)):
        console.print(part)


def to_text(plan: PlanDocument, *, wide: bool = False) -> str:
    """The same as plain text."""
    return plain(lambda console: render(plan, console, wide=wide), wide=wide)


def to_wide_text(plan: PlanDocument) -> str:
    return to_text(plan, wide=True)


def _parts(plan: PlanDocument, wide: bool, hints: tuple[str, ...]) -> Iterable[RenderableType]:
    yield _head(plan)
    yield from _warnings(plan)
    if plan.findings:
        yield section("Findings", _findings(plan))
    if plan.actions:
        yield section("Moves", _actions(plan, wide))
    if plan.levers:
        yield section("Held back by limits", Group(*(Text(words.lever(row)) for row in plan.levers)))
    if plan.gpus is not None:
        yield section("GPUs", table_gpus.render(plan, plan.gpus, wide=wide))
    if plan.refusals:
        yield section("Not moved", _refused(plan, wide))
    if plan.staying:
        yield section("May not move", _staying(plan))
    if wide:
        yield section("Data", _sources(plan))
    if hints:
        yield section("Next", Group(*(Text(f"  {hint}") for hint in hints)))


def _head(plan: PlanDocument) -> RenderableType:
    line = Text()
    line.append(f"Plan {plan.id or '–'}", style="bold")
    line.append(f"  {plan.cluster or 'cluster'}, {fmt.instant(plan.created)}", style="dim")
    counts = Text(
        f"{fmt.plural(plan.summary.get('nodes', 0), 'node')}, {fmt.plural(plan.summary.get('pods', 0), 'pod')}"
        f" ({fmt.number(plan.summary.get('movable_pods', 0))} may move),"
        f" horizon {fmt.span(plan.horizon_seconds)}, policy {plan.policy_hash or '–'}",
        style="dim",
    )
    told = [Text(words.verdict(plan), style="bold")]
    if takes := lead.seconds(plan):
        told.append(Text(f"It takes about {fmt.span(takes)}."))
    if sure := lead.certainty(plan):
        told.append(Text(f"How sure: {sure}.", style="dim"))
    return Group(line, counts, Text(), *told)


def _warnings(plan: PlanDocument) -> Iterable[Text]:
    if plan.acting_blocked:
        yield Text(f"Nothing may be executed: {plan.acting_blocked}", style="bold red")
    since = f"; since {fmt.instant(plan.mode_since)}" if plan.mode_since else ""
    stance = f"Mode {plan.mode}{since}" if plan.mode else "Dry run: nothing is evicted by this command"
    yield Text(stance, style="dim")
    for remark in plan.remarks:
        yield Text(words.sentence(remark), style="dim")
    for problem in plan.problems:
        yield Text(f"! {problem}", style="yellow")


def _findings(plan: PlanDocument) -> Table:
    proven = any(finding.bound is not None for finding in plan.findings)
    best = ("at best",) if proven else ()
    columns = ("", "what", "now", "limit", "after", *best, "outcome", "strategy")
    table = _table(*columns, right=("now", "limit", "after"), spare=("strategy", "at best"))
    answered = words.by_finding(plan)
    for finding in plan.findings:
        table.add_row(
            finding.id,
            _what(finding, words.gain(finding, answered.get(finding.id, ()))),
            words.level(finding, finding.value),
            words.level(finding, finding.threshold),
            words.level(finding, finding.after),
            *((words.bound(finding),) if proven else ()),
            Text(words.OUTCOMES.get(finding.outcome, finding.outcome), style=_OUTCOME.get(finding.outcome, "")),
            Text(finding.strategy, style="dim"),
        )
    return table


def _what(finding: FindingRow, gain: str) -> Text:
    name = words.subject(finding.subject)
    measure = finding.measure.removesuffix(", fraction of allocatable")
    what = Text(f"{name}: {measure}" if measure else name)
    for line in (gain, words.numbers(finding), words.refused(finding)):
        if line:
            what.append(f"\n{line}", style="dim")
    return what


def _actions(plan: PlanDocument, wide: bool) -> Table:
    told = any(action.away for action in plan.actions)
    columns = ["", "wave", "pod", "from → to", *(["who is away"] if told else []), "why it fits", "worth", "cost"]
    if wide:
        columns += ["requests", "budgets", "note"]
    spare = ("note", "budgets", "requests", "worth", "cost", "why it fits", "who is away")
    table = _table(*columns, right=("wave", "worth", "cost"), spare=spare)
    moves = [pod for action in plan.actions for pod in action.pods]
    # A name that breaks in the middle cannot be copied.
    table.columns[2].min_width = min(_LONGEST, max(len(f"{pod.namespace}/{pod.pod}") for pod in moves))
    table.columns[3].min_width = min(_LONGEST, max(len(words.way(pod)) for pod in moves))
    table.columns[columns.index("why it fits")].min_width = 24  # two words a line would make a row of a dozen lines
    for action in sorted(plan.actions, key=lambda a: a.wave):
        for i, pod in enumerate(action.pods):
            table.add_row(*_cells(action, pod, first=i == 0, wide=wide, told=told))
        if how := words.carried_out(plan, action):
            table.add_row("", "", Text(how, style="dim"))
        for text, names in (
            ("also restarts", action.also_restarted),
            ("steers away from", action.steer),
            ("cordons", action.cordon),
        ):
            if names:
                some = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
                table.add_row("", "", Text(f"{text}: {some}", style="dim"))
    return table


def _cells(action: Action, pod: PodMove, *, first: bool, wide: bool, told: bool) -> list[RenderableType]:
    unit = Text(f"{pod.namespace}/{pod.pod}")
    if first and action.gang:
        unit.append(f"\n{action.unit} moves together", style="dim")
    elif first and len(action.pods) > 1:
        unit.append(f"\nall {len(action.pods)} or none", style="dim")
    if first and (stage := words.stage(action)):
        unit.append(f"\n{stage}", style="dim")
    if first and action.room_for:
        unit.append(f"\n{words.room(action)}", style="dim")
    if pod.remade:
        unit.append(f"\n{pod.remade}", style="dim")
    cells: list[RenderableType] = [
        f"{action.id} ({action.finding})" if first else "",
        str(action.wave + 1) if first else "",
        unit,
        words.way(pod),
        *([", ".join(lead.briefly(row) for row in action.away) if first else ""] if told else []),
        Text(_proof(pod), style="dim"),
        fmt.compact(action.worth) if first else "",
        fmt.compact(action.cost.total) if first else "",
    ]
    if wide:
        cells.append(", ".join(f"{k.rpartition('/')[2]} {v}" for k, v in pod.requests.items()))
        cells.append(", ".join(_budget(b) for b in action.budgets) if first else "")
        cells.append(Text(action.note, style="dim") if first else "")
    return cells


def _proof(pod: PodMove) -> str:
    proof = pod.proof
    if pod.state:
        return proof.text
    peaks = ", ".join(f"{name} {fmt.percent(peak)}" for name, peak in (proof.destination_peaks or {}).items())
    lands = f"{fmt.percent(proof.expected_share)} likely, {proof.candidates} fit"
    return f"{lands}; then {peaks}" if peaks else lands


def _budget(budget: BudgetRow) -> str:
    return f"{budget.name} {budget.used}/{budget.allowed}"


def _refused(plan: PlanDocument, wide: bool) -> RenderableType:
    table = _table("reason", "count", "because", "for example", right=("count",), spare=("for example",))
    for group in words.groups(plan.refusals):
        row = group.rows[0]
        example = words.subject(row.subject) + (f" ({row.by})" if row.by and row.by != row.subject else "")
        table.add_row(group.reason, fmt.number(group.count), Text(group.explanation, style="dim"), example)
    return Group(table, Text(), _every_refusal(plan)) if wide else table


def _staying(plan: PlanDocument) -> Table:
    """Of all pods, by the first reason against it."""
    table = _table("reason", "pods", "share", "because", right=("pods", "share"))
    for row in lead.staying(plan):
        table.add_row(row.reason, fmt.number(row.count), fmt.percent(row.share), Text(row.explanation, style="dim"))
    return table


def _every_refusal(plan: PlanDocument) -> RenderableType:
    table = _table("reason", "subject", "by", "detail", "for", "count", right=("count",))
    for group in words.groups(plan.refusals):
        for row in group.rows:
            cells = (row.reason, row.subject, row.by, row.detail, f"{row.strategy} {row.finding}".strip())
            table.add_row(*cells, str(row.count))
    return table


def _sources(plan: PlanDocument) -> Table:
    table = _table("source", "state", "age", "items", "detail", right=("age", "items"))
    for source in plan.sources:
        state = Text(source.state, style=_STATE.get(source.state, ""))
        table.add_row(source.name, state, fmt.span(source.age_seconds), fmt.number(source.items), source.detail)
    return table
