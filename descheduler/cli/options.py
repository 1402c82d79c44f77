"""Options that several commands take: where a cluster and its history come from, and where the answer goes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from descheduler.report.formats import FORMATS

PlanFormat = StrEnum("PlanFormat", {name: name for name in FORMATS})  # type: ignore[misc]  # members at run time
TABLE = PlanFormat("table")


Kubeconfig = Annotated[
    Path | None, typer.Option(help="Kubeconfig of the cluster. Default: KUBECONFIG, ~/.kube/config, in-cluster.")
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig.")]
Recorded = Annotated[
    Path | None, typer.Option("--recording", metavar="PATH", help="Read a recording instead of a cluster.")
]
Example = Annotated[bool, typer.Option("--example", help="Read the embedded example cluster.")]
Prometheus = Annotated[
    str | None, typer.Option(metavar="URL", help="Prometheus with the usage history; comes before the policy's.")
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="The policy. Default: `descheduler policy default`.")
]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Say more on stderr; errors come with their traceback.")
]
OutputFormat = Annotated[PlanFormat, typer.Option("--output", "-o", help="How the plan is written.")]
OutputFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Write there instead of to stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
