"""`descheduler clean-up`."""

from __future__ import annotations

from typing import Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import Context, Kubeconfig, Verbose


def clean_up(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[str, typer.Option(help="Where the controller is. Default: the pod's own namespace.")] = "",
    force: Annotated[
        bool, typer.Option(help="Also where a unit was interrupted: what was meant with it is forgotten.")
    ] = False,
    verbose: Verbose = 0,
) -> None:
    """Before uninstalling: stop the controller, and take away what it left on nodes and what it keeps."""
    with failures.reported(verbose):
        import random
        import time

        from descheduler.apiwrite.clock import Clock
        from descheduler.apiwrite.writer import NAMESPACE
        from descheduler.cli.output import say
        from descheduler.kube.client.connection import connect
        from descheduler.kube.client.credentials import own_namespace
        from descheduler.leaving import leave

        client = connect(kubeconfig, context)
        try:
            clock = Clock(time.time, time.monotonic, time.sleep)
            where = namespace or own_namespace(NAMESPACE)
            for gone in leave(client, where, clock, random.Random(), force=force):
                say(f"taken away: {gone}", err=False)
        finally:
            client.close()
