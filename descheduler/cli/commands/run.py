"""`descheduler run`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import Context, Kubeconfig, Lenient, PolicyFile, Prometheus, Verbose
from descheduler.cli.sigs_flags import SigsFlags, read_flags
from descheduler.model.errors import UsageError

if TYPE_CHECKING:
    from descheduler.controller.run import RunOptions

SECURE_PORT = 10258
DETAILED = 4  # the verbosity at which that descheduler begins to say why pods stay


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
        str,
        typer.Option(
            "--namespace", "-n", help="Where the lease and the ledger are kept. Default: the pod's own namespace."
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as --mode dry-run.")] = False,
    interval: Annotated[
        str,
        typer.Option(
            "--descheduling-interval", metavar="DURATION", help="Comes before the policy's interval; 0: a single cycle."
        ),
    ] = "",
    leader_elect: Annotated[bool, typer.Option(help="Act only while holding the lease.")] = True,
    lease: Annotated[
        str, typer.Option("--lease", "--leader-elect-resource-name", help="Name of the lease.")
    ] = "descheduler",
    lease_namespace: Annotated[
        str, typer.Option("--leader-elect-resource-namespace", help="Where it is, if not in --namespace.")
    ] = "",
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
    archive: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|URL",
            help="Keep plans and what came of them over restarts: in a folder, or in a PostgreSQL (postgresql://…).",
        ),
    ] = None,
    lenient: Lenient = False,
    verbose: Verbose = 0,
) -> None:
    """Run the controller: plan again and again, and carry the plans out in mode active."""
    with failures.reported(verbose, service=True):
        from descheduler.controller.run import RunOptions, run_controller

        seconds = SigsFlags({"descheduling-interval": interval} if interval else {}).seconds(
            "descheduling-interval", -1.0
        )
        options = RunOptions(
            policy=policy,
            kubeconfig=kubeconfig,
            context=context,
            prometheus=prometheus,
            mode=Mode.DRY_RUN.value if dry_run else mode.value if mode else None,
            once=seconds == 0,
            interval=seconds if seconds > 0 else None,
            config_map=policy_config_map,
            namespace=namespace,
            leader_elect=leader_elect,
            lease=lease,
            lease_namespace=lease_namespace,
            host=host,
            port=port,
            certificate=tls_cert_file,
            key=tls_private_key_file,
            authenticate=authenticate,
            store=store,
            archive=archive,
            lenient=lenient,
        )
        failures.leave(run_controller(options))


def run_as_sigs(arguments: Sequence[str]) -> None:
    """The controller by the command line of the Kubernetes SIG's descheduler, with its defaults: it acts unless
    `--dry-run` is given, and ends after one cycle unless there is an interval.
    """
    with failures.reported(0, service=True):
        flags = read_flags(arguments)
        log_as(flags)
        from descheduler.controller.run import run_controller

        failures.leave(run_controller(sigs_options(flags)))


def log_as(flags: SigsFlags) -> None:
    """Logging as the flags ask for it, with one warning about flags that mean nothing here."""
    import structlog

    from descheduler.cli import logs

    form = flags.text("logging-format", "text")
    if form not in ("text", "json"):
        raise UsageError(f"--logging-format is text or json, not {form}")
    as_json = form == "json" if "logging-format" in flags.values else None
    logs.configure(int(flags.number("v", 0, -10, 20) >= DETAILED), service=True, as_json=as_json)
    if flags.idle:
        structlog.get_logger(__name__).warning("flags without a meaning here", flags=list(flags.idle))


def sigs_options(flags: SigsFlags) -> RunOptions:
    """What the flags ask of the controller. Raises UsageError."""
    from descheduler.apiwrite.lease import Timing
    from descheduler.controller.run import RunOptions

    interval, dry_run = flags.seconds("descheduling-interval", 0.0), flags.on("dry-run")
    if not flags.text("policy-config-file"):
        raise UsageError("--policy-config-file is required")
    if flags.on("leader-elect") and not interval:
        raise UsageError("--leader-elect needs --descheduling-interval")
    kubeconfig = flags.text("client-connection-kubeconfig") or flags.text("kubeconfig")
    paced = {"client-connection-qps", "client-connection-burst"} & flags.values.keys()
    pace = (flags.number("client-connection-qps", 5.0), int(flags.number("client-connection-burst", 10.0)))
    certificate, key = flags.text("tls-cert-file"), flags.text("tls-private-key-file")
    port = int(flags.number("secure-port", SECURE_PORT, 0, 65535))
    return RunOptions(
        policy=Path(flags.text("policy-config-file")),
        kubeconfig=Path(kubeconfig) if kubeconfig else None,
        mode=Mode.DRY_RUN.value if dry_run else Mode.ACTIVE.value,
        leader_elect=flags.on("leader-elect") and not dry_run,
        lease=flags.text("leader-elect-resource-name", "descheduler"),
        lease_namespace=flags.text("leader-elect-resource-namespace"),
        lease_timing=Timing(
            flags.seconds("leader-elect-lease-duration", 137.0),
            flags.seconds("leader-elect-renew-deadline", 107.0),
            flags.seconds("leader-elect-retry-period", 26.0),
        ),
        host=flags.text("bind-address") if port else "127.0.0.1",
        port=port,
        certificate=Path(certificate) if certificate else None,
        key=Path(key) if key else None,
        self_signed=bool(port),
        metrics=not flags.on("disable-metrics"),
        once=not interval,
        lenient=flags.on("lenient"),
        interval=interval or None,
        pace=(pace[0] or 5.0, pace[1] or 10) if paced else None,
    )
