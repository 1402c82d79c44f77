"""`descheduler profile`: the forecasts by themselves. `show`, `explain` and `export` have a file each."""

from __future__ import annotations

import typer

from descheduler.cli.commands.profile import explain, export, show

app = typer.Typer(
    name="profile",
    help="Forecasts of what workloads use: show, explain and export them. Changes nothing.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
for command in (show.show, explain.explain, export.export):
    app.command()(command)
