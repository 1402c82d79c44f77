"""The two that are compared, each for one pass over the cluster: the real binary of the original, and ours."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from controlplane.cluster import ControlPlane
from descheduler.controller.run import RunOptions, assembled
from descheduler.execution.outcomes import ExecutionReport
from descheduler.model.plan import PlanDocument


class PassFailedError(Exception):
    """A pass did not come to its end; the message has what it said."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass tells of itself: a log, or a plan and what became of it."""

    log: str = ""
    plan: PlanDocument | None = None
    report: ExecutionReport | None = None


def theirs(binary: Path, plane: ControlPlane, policy: Path) -> Pass:
    """One pass of the original, with real evictions.

    Raises:
        PassFailedError: it ended with an error.
    """
    command = [
        str(binary),
        f"--kubeconfig={plane.kubeconfig()}",
        f"--policy-config-file={policy}",
        "--descheduling-interval=0",
        "--secure-port=0",
        "--client-connection-qps=1000",
        "--client-connection-burst=2000",
        "--v=4",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise PassFailedError(done.stderr[-2000:])
    return Pass(log=done.stderr)


def ours(plane: ControlPlane, policy: Path) -> Pass:
    """One cycle of our controller in mode active, as `descheduler run` puts it together, with nothing to remember.

    Raises:
        PassFailedError: the cycle failed or was paused.
    """
    options = RunOptions(
        policy=policy,
        kubeconfig=plane.kubeconfig(),
        mode="active",
        namespace="default",
        leader_elect=False,
        host="127.0.0.1",
        port=0,
    )
    with ExitStack() as stack:
        controller = assembled(options, stack, render=lambda document: document.id)
        plane.client.wait_for(lambda: controller.seams.unsynced() is None, what="the caches to be synced", every=0.02)
        result = controller.cycle()
        if result not in ("acted", "planned"):
            raise PassFailedError(f"{result}: {controller.status.paused}")
        latest = controller.reports.list()[0].id
        plan, told = controller.reports.plan(latest), controller.reports.execution_json(latest)
    report = msgspec.json.decode(b"".join(told), type=ExecutionReport) if told else None
    return Pass(plan=plan, report=report)
