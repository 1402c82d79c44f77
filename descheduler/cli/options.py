"""Options that several commands take: where a cluster and its history come from, and where the answer goes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from descheduler.report.formats import FORMATS, SIDE_BY_SIDE
from descheduler.report.gates import Gate

PlanFormat = StrEnum("PlanFormat", {name: name for name in FORMATS})  # type: ignore[misc]  # members at run time
TABLE = PlanFormat("table")
ComparisonFormat = StrEnum("ComparisonFormat", {name: name for name in SIDE_BY_SIDE})  # type: ignore[misc]
COMPARED = ComparisonFormat("table")


Kubeconfig = Annotated[
    Path | None, typer.Option(help="Kubeconfig of the cluster. Default: KUBECONFIG, ~/.kube/config, in-cluster.")
]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig.")]
As = Annotated[str, typer.Option("--as", metavar="USER", help="Read the cluster as this user (impersonation).")]
Server = Annotated[str, typer.Option(metavar="URL", help="Address of the API server, in place of the kubeconfig's.")]
RequestTimeout = Annotated[
    str, typer.Option(metavar="DURATION", help="How long the API server may take for one answer, such as 30s.")
]
Recorded = Annotated[
    Path | None, typer.Option("--recording", metavar="PATH", help="Read a recording instead of a cluster.")
]
Example = Annotated[bool, typer.Option("--example", help="Read the embedded example cluster.")]
Prometheus = Annotated[
    str | None, typer.Option(metavar="URL", help="Prometheus with the usage history; comes before the policy's.")
]
PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        "--policy-config-file",
        metavar="FILE",
        help="The policy, ours or descheduler/v1alpha2. Default: `descheduler policy default`.",
    ),
]
PolicyFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--policy",
        "--policy-config-file",
        metavar="FILE",
        help="The policy, ours or descheduler/v1alpha2; several are compared. Default: `policy default`.",
    ),
]
Lenient = Annotated[
    bool,
    typer.Option(
        "--lenient", help="Keys of a descheduler/v1alpha2 policy that its own program ignores are warnings, not errors."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Set one value of the policy, such as HotNodes.thresholds.cpu=70%."
    ),
]
At = Annotated[
    str,
    typer.Option(
        "--at", metavar="TIME", help="As of an earlier time of a recording: RFC 3339, or -6h for so long before."
    ),
]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Say more on stderr; errors come with their traceback.")
]
FailOn = Annotated[
    list[Gate] | None,
    typer.Option("--fail-on", help="Exit with 3 where the plan has this; may be given several times."),
]
OutputFormat = Annotated[PlanFormat, typer.Option("--output", "-o", help="How the plan is written.")]
ComparisonOutput = Annotated[ComparisonFormat, typer.Option("--output", "-o", help="How the comparison is written.")]
OutputFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Write there instead of to stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
