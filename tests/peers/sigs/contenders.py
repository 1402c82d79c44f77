"""The two that are compared, each for one pass over the cluster: the real binary of the original, and ours."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path

from controlplane.cluster import ControlPlane
from descheduler.controller.run import RunOptions, assembled
from descheduler.model.plan import PlanDocument


class PassFailedError(Exception):
    """A pass did not come to its end; the message has what it said."""


def theirs(binary: Path, plane: ControlPlane, policy: Path) -> None:
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
        "--v=2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise PassFailedError(done.stderr[-2000:])


def ours(plane: ControlPlane, policy: Path) -> PlanDocument:
    """One cycle of our controller in mode active, as `descheduler run` puts it together; the plan, as it was made.

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
        plan = controller.reports.plan(controller.reports.list()[0].id)
    assert plan is not None
    return plan
