"""`plan` and `show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from descheduler.cli.failures import FAILED, NOT_EMPTY
from descheduler.cli.output import write_plan
from descheduler.model.errors import UsageError
from descheduler.model.plan import PlanDocument

if TYPE_CHECKING:
    from descheduler.observe.inputs import Source


def make_plan(source: Source, policy_file: Path | None, form: str, file: Path | None, *, exit_code: bool) -> int:
    """Plan and write the plan; the exit code.

    A plan that rests on less than it should is written too, but what is wrong is said and the exit code is 1.
    """
    from descheduler.observe.inputs import observe, read_policy
    from descheduler.pipeline import plan

    source.check()
    policy = read_policy(policy_file, source)
    document = plan(observe(source, policy), policy)
    write_plan(document, form, file, hints=_hints(source, document))
    wrong = [*([document.acting_blocked] if document.acting_blocked else []), *document.problems]
    for problem in wrong:
        typer.echo(f"error: {problem}", err=True)
    if wrong:
        return FAILED
    return NOT_EMPTY if exit_code and document.actions else 0


def show_plan(path: Path, form: str, file: Path | None) -> None:
    """Write a plan that was stored as JSON."""
    from descheduler.report.serial import from_json

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    write_plan(from_json(data), form, file)


def _hints(source: Source, plan: PlanDocument) -> tuple[str, ...]:
    """What to do next, with the same options."""
    options = _options(source)
    hints = [f"descheduler plan {options}-o html > report.html    # forecasts, proofs and every refusal on one page"]
    pods = [pod for action in plan.actions for pod in action.pods]
    if pods:
        hints.append(f"descheduler explain pod {pods[0].namespace}/{pods[0].pod} {options}".rstrip())
    if source.example:
        hints.append("descheduler plan --kubeconfig ~/.kube/config --prometheus http://HOST:9090    # your own cluster")
    return tuple(hints)


def _options(source: Source) -> str:
    parts = []
    for name, value in (
        ("kubeconfig", source.kubeconfig),
        ("context", source.context),
        ("recording", source.recording),
    ):
        if value is not None:
            parts.append(f"--{name} {value} ")
    if source.example:
        parts.append("--example ")
    if source.prometheus:
        parts.append(f"--prometheus {source.prometheus} ")
    return "".join(parts)
