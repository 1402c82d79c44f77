"""What the command line says of a controller."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from descheduler.apiwrite.lease import Timing
from descheduler.policy import Policy


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line says; the policy says the rest.

    `policy` None: the default policy. `prometheus` comes before the policy's; of `mode` ("dry-run", "active") and the
    policy's the safer counts. `config_map` is the ConfigMap that the policy is mounted from, empty: none.
    `namespace` holds the Lease and our ConfigMaps; empty: the pod's own, else `descheduler`. `store` keeps the history
    over restarts, `archive` plans and what came of them. `host` None: all addresses in a cluster, loopback elsewhere;
    `port` 0: any free one. `certificate` and `key` are given together, and all is served over TLS then; `self_signed`:
    without them too. With `authenticate` pages and metrics are for those
    whom the API server lets `get` them. `once`: after one cycle it ends. `interval` (seconds) and `pace` (evictions per
    second, and at once) come before the policy's. `lease_namespace`: where the Lease is, if not in `namespace`.
    `lenient`: mistakes that the policy's own program ignores are let pass.
    """

    policy: Path | None = None
    kubeconfig: Path | None = None
    context: str | None = None
    prometheus: str | None = None
    mode: str | None = None
    config_map: str = ""
    namespace: str = ""
    leader_elect: bool = True
    lease: str = "descheduler"
    lease_namespace: str = ""
    lease_timing: Timing = field(default_factory=Timing)
    host: str | None = None
    port: int = 8080
    certificate: Path | None = None
    key: Path | None = None
    self_signed: bool = False
    authenticate: bool = False
    metrics: bool = True
    store: Path | None = None
    archive: str | None = None
    once: bool = False
    interval: float | None = None
    pace: tuple[float, int] | None = None
    lenient: bool = False

    def changed(self, policy: Policy) -> Policy:
        """The policy with what the command line says in its place."""
        given: dict[str, Any] = {}
        if self.interval is not None:
            given["interval"] = timedelta(seconds=self.interval)
        if self.pace is not None:
            qps, burst = self.pace
            given["acting"] = policy.acting.model_copy(update={"qps": qps, "burst": burst})
        return policy.model_copy(update=given) if given else policy
