"""`descheduler plan`, and `descheduler plan diff`. A file each."""

from __future__ import annotations

import typer

from descheduler.cli.commands.plan import diff, once

app = typer.Typer(name="plan", invoke_without_command=True, rich_markup_mode=None, subcommand_metavar="[diff ...]")
app.callback()(once.plan)
app.command()(diff.diff)
