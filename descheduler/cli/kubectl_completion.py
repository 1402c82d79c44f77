"""Completion of `kubectl deschedule …`: kubectl runs `kubectl_complete-deschedule` with the words typed so far.

It prints one proposal a line and at the end a directive of cobra's (ShellCompDirective: 4 completes no files, 0 leaves
that to the shell).
"""

from __future__ import annotations

import io
import os
import shlex
import sys
from contextlib import redirect_stdout, suppress

_NAME = "kubectl-deschedule"


def main() -> None:
    """The `kubectl_complete-deschedule` command."""
    proposals = _proposals(sys.argv[1:])
    sys.stdout.write("".join(f"{one}\n" for one in proposals) + f":{4 if proposals else 0}\n")


def _proposals(words: list[str]) -> list[str]:
    """What the last of the words may become, as the completion of the shell has it."""
    from descheduler.cli.main import app

    line = shlex.join([_NAME, *words[:-1]]) + f" {words[-1] if words else ''}"
    asked = {"_KUBECTL_DESCHEDULE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) or 1)}
    os.environ.update(asked)
    with redirect_stdout(io.StringIO()) as out, suppress(SystemExit):
        app(prog_name=_NAME, args=[])
    return out.getvalue().splitlines()
