"""What servers say when they refuse a query, as data: a piece of the text, what it means to us, and where it is from.

The first row that matches decides, so the order is part of the data: what no repetition mends, load that passes, too
many series, too much data, too slow, a part that was away for a moment. The sources name a repository and the file in
it, or a page of the vendor's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Meaning = Literal["refused", "again", "series", "much", "slow"]
"""Never; later; fewer series; a shorter range; a shorter range, for it took too long."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One way of saying it. `pattern`: a regular expression; `knob`: the server's setting that raises the limit."""

    pattern: str
    meaning: Meaning
    servers: str
    source: str
    knob: str = ""


_CORTEX = "cortexproject/cortex pkg/util/limiter/query_limiter.go"
_CORTEX_FRONTEND = "cortexproject/cortex pkg/frontend/transport/handler.go"
_MIMIR = "grafana/mimir pkg/util/globalerror/errors.go"
_THANOS_STORE = "thanos-io/thanos pkg/store/bucket.go"
_THANOS_LIMITER = "thanos-io/thanos pkg/store/limiter.go"
_VM_EVAL = "VictoriaMetrics/VictoriaMetrics app/vmselect/promql/eval.go"
_VM_STORAGE = "VictoriaMetrics/VictoriaMetrics app/vmselect/netstorage/netstorage.go"
_AMP = "docs.aws.amazon.com/prometheus/latest/userguide/AMP_quotas.html"
_GRPC = "grpc/grpc-go codes/codes.go, rpc_util.go"
_GOOGLE = "GoogleCloudPlatform/prometheus-engine, reports 767 and 885"

_FETCHED_SERIES = "-querier.max-fetched-series-per-query"

WORDINGS: Final = (
    # Neither later nor less helps. What does not match tells labels of series, which may say anything.
    Wording(
        r"matching not allowed|found duplicate series|duplicate time ?series|same labelset|multiple matches for labels",
        "refused",
        "Prometheus, VictoriaMetrics",
        "promql/engine.go; app/vmselect/promql/binary_op.go",
    ),
    Wording(r"too long query; got", "refused", "VictoriaMetrics", "app/vmselect/prometheus/prometheus.go"),
    Wording(r"err-mimir-max-query-expression-size-bytes", "refused", "Mimir", _MIMIR),
    Wording(r"err-mimir-query-blocked|blocked by the cluster administrator", "refused", "Mimir", _MIMIR),
    Wording(
        r"rejected by the service operator", "refused", "Cortex", "pkg/querier/tripperware/query_attribute_matcher.go"
    ),
    # Load that passes, though the text speaks of limits.
    Wording(r"-search\.maxConcurrentRequests", "again", "VictoriaMetrics", "app/vmselect/main.go"),
    Wording(r"too many outstanding requests", "again", "Cortex, Mimir", "pkg/scheduler/queue/queue.go"),
    Wording(r"timed out in query queue", "again", "Prometheus", "promql/engine.go"),
    Wording(r"resource limit reached", "again", "Cortex", "pkg/util/limiter/resource_based_limiter.go"),
    Wording(
        r"bucket index is too old|consistency check failed", "again", "Cortex", "pkg/querier/blocks_store_queryable.go"
    ),
    Wording(r"err-mimir-tenant-max-request-rate", "again", "Mimir", _MIMIR),
    Wording(r"err-mimir-(store-consistency-check-failed|bucket-index-too-old)", "again", "Mimir", _MIMIR),
    Wording(r"too many unhealthy instances|live replicas required", "again", "Cortex, Mimir", "pkg/ring"),
    Wording(r"ThrottlingException|\brate exceeded", "again", "Amazon", "AMP-APIReference, common errors"),
    Wording(r"quota exceeded for quota metric", "again", "Google", "cloud.google.com/monitoring/quotas"),
    Wording(r"blocked waiting for memory|monarch::2(19|20)\b", "again", "Google", _GOOGLE),
    # Too many series, whatever the range; a shorter one has fewer only where pods came and went.
    Wording(r"would load too many series", "series", "Prometheus", "promql/engine.go", "global.query_max_series"),
    Wording(r"err-mimir-max-series-per-query", "series", "Mimir", _MIMIR, _FETCHED_SERIES),
    Wording(r"max number of series limit", "series", "Cortex, Amazon", f"{_CORTEX}; {_AMP}", _FETCHED_SERIES),
    Wording(
        r"exceeded series limit|failed to send series: limit",
        "series",
        "Thanos, Cortex",
        f"{_THANOS_STORE}; {_THANOS_LIMITER}",
        f"--store.limits.request-series (Thanos) or {_FETCHED_SERIES} (Cortex)",
    ),
    Wording(
        r"number of matching (unique )?timeseries exceeds",
        "series",
        "VictoriaMetrics",
        "lib/storage/index_db.go",
        "-search.maxUniqueTimeseries",
    ),
    Wording(r"-search\.maxUniqueTimeseries", "series", "VictoriaMetrics", "cluster", "-search.maxUniqueTimeseries"),
    Wording(
        r"more than -search\.maxResponseSeries",
        "series",
        "VictoriaMetrics",
        "app/vmselect/promql/exec.go",
        "-search.maxResponseSeries",
    ),
    # Too much data for one query.
    Wording(r"would load too many samples", "much", "Prometheus, all with its engine", "promql/engine.go"),
    Wording(r"would read too many samples", "much", "Prometheus", "promql/engine.go"),
    Wording(r"exceeded maximum resolution", "much", "Prometheus", "web/api/v1/api.go"),
    Wording(r"exceeded (sample|samples|chunks|bytes) limit", "much", "Thanos, Prometheus", _THANOS_STORE),
    Wording(r"failed to send samples: limit|limit \d+ violated", "much", "Thanos", _THANOS_LIMITER),
    Wording(
        r"max number of chunks limit|aggregated (chunks|data) size limit",
        "much",
        "Cortex, Amazon",
        f"{_CORTEX}; {_AMP}",
    ),
    Wording(r"query time range exceeds the limit", "much", "Cortex, Mimir, Amazon", f"{_CORTEX_FRONTEND}; {_AMP}"),
    Wording(r"response size exceeds limit", "much", "Cortex", "pkg/util/limiter/response_size_limiter.go"),
    Wording(r"err-mimir-max-[a-z-]+", "much", "Mimir", _MIMIR),
    Wording(r"cannot (select|process) more than", "much", "VictoriaMetrics", _VM_STORAGE),
    Wording(r"too many points for the given start", "much", "VictoriaMetrics", _VM_EVAL),
    Wording(r"not enough memory for processing|-search\.maxMemoryPerQuery", "much", "VictoriaMetrics", _VM_EVAL),
    Wording(r"refusing to grant further memory", "much", "Google", _GOOGLE),
    Wording(r"message larger than (the )?max", "much", "all that speak gRPC", _GRPC),
    # A part of the server was away for a moment: it says so in the words of gRPC.
    Wording(r"code = Unavailable", "again", "all that speak gRPC", _GRPC),
    # Too slow.
    Wording(r"timed? ?out|timeout|deadline ?exceeded|-search\.maxQueryDuration", "slow", "all", "promql/engine.go"),
    # Whatever else gRPC calls exhausted is a limit of ours; what breaks off may go well the next time.
    Wording(r"code = ResourceExhausted", "much", "all that speak gRPC", _GRPC),
    Wording(r"code = (Aborted|Canceled)|generic::aborted", "again", "all that speak gRPC", _GRPC),
    Wording(r"context canceled|query was canceled", "again", "all", "promql/engine.go"),
    Wording(r"\bEOF\b|connection (refused|reset)|broken pipe", "again", "all", "Go, net and io"),
    # Servers and versions that are not above.
    Wording(
        r"too many (samples|points|series|chunks)|exceeded? .*(limit|maximum)|limit.*exceeded|"
        r"query.*too (large|long|big)|-search\.max|response.*too large|maximum.*(allowed|size)",
        "much",
        "others",
        "",
    ),
)

_VAGUE: Final = frozenset({"all", "others"})
"""Rows of these could be met in the text of a query that a server repeats while it rejects it."""


@dataclass(frozen=True, slots=True)
class Understood:
    """The row that matched, and where in the text it begins."""

    wording: Wording
    begins: int


def understood(text: str, *, precisely: bool = False) -> Understood | None:
    """What a server means by `text`, None if nobody knows. `precisely`: only by words that are one server's own."""
    for wording, pattern in _PATTERNS:
        if precisely and wording.servers in _VAGUE:
            continue
        found = pattern.search(text)
        if found is not None:
            return Understood(wording, found.start())
    return None


def _compiled() -> Iterator[tuple[Wording, re.Pattern[str]]]:
    for wording in WORDINGS:
        yield wording, re.compile(wording.pattern, re.IGNORECASE)


_PATTERNS: Final = tuple(_compiled())
