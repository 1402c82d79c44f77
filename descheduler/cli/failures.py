"""How a command ends: one clear message for what went wrong, and the exit code that says of which kind it was."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from descheduler.cli.output import say
from descheduler.model.errors import ClusterError, DeschedulerError, Forbidden, HistoryError, PolicyError, UsageError

if TYPE_CHECKING:
    from descheduler.model.plan import PlanDocument
    from descheduler.report.gates import Gate

FAILED, WRONG, NOT_EMPTY = 1, 2, 3
_DOCTOR = " (`descheduler doctor` checks what else is missing)"


def leave(code: int) -> None:
    """End the command with this exit code."""
    if code:
        raise typer.Exit(code)


def gated(plan: PlanDocument, gates: Iterable[Gate]) -> int:
    """The exit code of a plan that is held against gates; says on stderr which of them it does not pass."""
    from descheduler.report.gates import shut

    found = shut(plan, gates)
    if found:
        say(f"the plan has {', '.join(found)} (--fail-on)")
    return NOT_EMPTY if found else 0


@contextmanager
def reported(verbose: int, *, service: bool = False) -> Iterator[None]:
    """Set up logging, and turn whatever is raised into a message on stderr and an exit code."""
    from descheduler.cli import logs

    logs.configure(verbose, service=service)
    try:
        yield
        sys.stdout.flush()
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:
        # Whoever read our output has seen enough (`… | head`); Python must not complain about it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(130) from None
    except DeschedulerError as error:
        _say(error, verbose)
        raise typer.Exit(WRONG if isinstance(error, (PolicyError, UsageError)) else FAILED) from None
    except Exception as error:  # noqa: BLE001  the top of a command: a defect is reported like everything else
        _say(error, verbose, f"internal error: {type(error).__name__}: {error} (run again with -v for details)")
        raise typer.Exit(FAILED) from None


def _say(error: BaseException, verbose: int, text: str = "") -> None:
    if verbose:
        import traceback

        say("".join(traceback.format_exception(error)).rstrip("\n"))
    more = _DOCTOR if isinstance(error, ClusterError | HistoryError) else ""
    lines = error.problems if isinstance(error, PolicyError) else (f"error: {text or error}{more}",)
    for line in lines:
        say(line)
    if isinstance(error, Forbidden):
        say(error.remedy)
