"""What such a file says for all of its profiles, as sections of our policy; the defaults are left as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from descheduler.policy.acting import ActingPolicy
from descheduler.policy.history import Auth, HistoryPolicy
from descheduler.policy.planning import LimitsPolicy
from descheduler.policy.v1alpha2.file import Prometheus, V1Alpha2File
from descheduler.policy.v1alpha2.label_text import node_selector

OWN_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
OWN_AUTHORITIES: Final = OWN_TOKEN.with_name("ca.crt")
MOUNTED: Final = Path("/var/run/secrets/descheduler/prometheus/prometheusAuthToken")
"""Where the Secret of `authToken` is to be mounted: its key is what that descheduler looks for."""
PACKING: Final = "HighNodeUtilization"
"""Its documentation demands a scheduler that scores MostAllocated, and the file has no place to say so."""


def sections(file: V1Alpha2File) -> dict[str, Any]:
    """Keyword arguments of our policy. What that descheduler does not limit is not limited: null, not our defaults."""
    given: dict[str, Any] = {
        "limits": LimitsPolicy(
            per_node=file.max_no_of_pods_to_evict_per_node,
            per_namespace=file.max_no_of_pods_to_evict_per_namespace,
            per_cycle=file.max_no_of_pods_to_evict_total,
            per_hour=None,
        )
    }
    if (nodes := node_selector(file.node_selector or "")) is not None:
        given["node_selector"] = nodes
    if file.grace_period_seconds is not None:
        given["acting"] = ActingPolicy(grace_period_seconds=file.grace_period_seconds)
    server = prometheus(file)
    if server is not None:
        token = MOUNTED if server.auth_token is not None else OWN_TOKEN
        given["history"] = HistoryPolicy(url=server.url, auth=Auth(bearer_token_file=token, ca_file=OWN_AUTHORITIES))
    return given


def prometheus(file: V1Alpha2File) -> Prometheus | None:
    """The server that the file names."""
    return next((one.prometheus for one in file.metrics_providers or () if one.source == "Prometheus"), None)
