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
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to serve health, metrics and reports on. Default: all in a cluster, else 127.0.0.1."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the same; 0: any free one.")] = 8080,
    tls_cert_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serve them over TLS; read again when it is renewed.")
    ] = None,
    tls_private_key_file: Annotated[Path | None, typer.Option(metavar="FILE", help="The key of the same.")] = None,
    authenticate: Annotated[
        bool, typer.Option(help="Reports and metrics only for those whom the API server lets get them.")
    ] = False,
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
            certificate=tls_cert_file,
            key=tls_private_key_file,
            authenticate=authenticate,
            store=store,
        )
        failures.leave(run_controller(options))
