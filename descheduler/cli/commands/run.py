"""`descheduler run`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import Context, Kubeconfig, PolicyFile, Prometheus, Verbose


class Mode(StrEnum):
    """What the controller does with its plans."""

    DRY_RUN = "dry-run"
    ACTIVE = "active"


def run(
    policy: PolicyFile = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    prometheus: Prometheus = None,
    mode: Annotated[Mode | None, typer.Option(help="Of this and the policy's mode the safer counts.")] = None,
    policy_config_map: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The ConfigMap that the policy is mounted from: it can switch acting off at once."
        ),
    ] = "",
    namespace: Annotated[
        str, typer.Option(help="Where the lease and the ledger are kept. Default: the pod's own namespace.")
    ] = "",
    leader_elect: Annotated[bool, typer.Option(help="Act only while holding the lease.")] = True,
    lease: Annotated[str, typer.Option(help="Name of the lease.")] = "descheduler",
    host: Annotated[str, typer.Option(help="Address to serve health, metrics and reports on.")] = "0.0.0.0",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the same; 0: any free one.")] = 8080,
    store: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the history read so far over restarts.")
    ] = None,
    verbose: Verbose = 0,
) -> None:
    """Run the controller: plan again and again, and carry the plans out in mode active."""
    with failures.reported(verbose, service=True):
        from descheduler.controller.run import RunOptions, run_controller

        options = RunOptions(
            policy=policy,
            kubeconfig=kubeconfig,
            context=context,
            prometheus=prometheus,
            mode=mode.value if mode else None,
            config_map=policy_config_map,
            namespace=namespace,
            leader_elect=leader_elect,
            lease=lease,
            host=host,
            port=port,
            store=store,
        )
        failures.leave(run_controller(options))
