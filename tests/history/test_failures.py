"""What servers answer instead of a result, in their own words, and what is made of it."""

from __future__ import annotations

import re
from email.utils import formatdate

import pytest

from descheduler.model.errors import HistoryError, HistoryRefused, HistoryUnreachable
from descheduler_profiling.history.prometheus.failures import Failure, TooMuch, failure_of
from descheduler_profiling.history.prometheus.wordings import WORDINGS

NOW = 1_750_000_000.0


def failure(status: int, body: str, *, retry_after: str = "", content_type: str = "application/json") -> Failure:
    made = failure_of(status, content_type, retry_after, body.encode(), "http://p", told_at=NOW)
    assert made is not None
    assert str(made.error).startswith("http://p")
    return made


def said(text: str) -> str:
    """As the Prometheus API wraps an error."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{"status":"error","errorType":"execution","error":"{quoted}"}}'


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (401, "", HistoryRefused, "check token or password"),
        (403, "no", HistoryRefused, "forbids the query"),
        (404, "", HistoryRefused, "check the path prefix"),
        (405, "", HistoryRefused, "check the query method"),
        (302, "", HistoryRefused, "redirects"),
        (400, '{"status":"error","errorType":"bad_data","error":"parse error"}', HistoryRefused, "bad_data: parse"),
        (422, said("many-to-many matching not allowed"), HistoryRefused, "many-to-many"),
        (413, "", TooMuch, "413"),
        (500, "panic", HistoryUnreachable, "panic"),
        (502, "<html>bad gateway</html>", HistoryUnreachable, "bad gateway"),
    ],
)
def test_refusals_say_what_to_check_and_limits_what_to_do(
    status: int, body: str, error: type[HistoryError], message: str
) -> None:
    made = failure(status, body)
    assert type(made.error) is error
    assert message in str(made.error)


def test_a_login_page_is_no_prometheus() -> None:
    made = failure_of(200, "text/html; charset=utf-8", "", b"<html>", "http://p")
    assert made is not None
    assert "login page" in str(made.error)


# Each as the server sends it: status and text.
TOO_MUCH = {
    "prometheus-samples": (422, "query processing would load too many samples into memory in query execution"),
    "prometheus-read": (422, "query would read too many samples in query execution"),
    "cortex-store": (
        422,
        "expanding series: receive series from 01M8: rpc error: code = ResourceExhausted desc = exceeded chunks limit: "
        "rpc error: code = Code(422) desc = limit 20 violated (got 26)",
    ),
    "prometheus-points": (
        400,
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
    ),
    "cortex-chunks": (422, "expanding series: the query hit the max number of chunks limit (limit: 2000000 chunks)"),
    "cortex-bytes": (422, "the query hit the aggregated data size limit (limit: 5368709120 bytes)"),
    "cortex-chunk-bytes": (422, "the query hit the aggregated chunks size limit (limit: 100 bytes)"),
    "cortex-range": (422, "the query time range exceeds the limit (query length: 744h6m0s, limit: 720h0m0s)"),
    "cortex-response": (422, "the query response size exceeds limit (limit: 1048576 bytes)"),
    "amazon-range-as-400": (400, "expanding series: the query hit the max number of chunks limit (limit: 20000000)"),
    "mimir-chunks": (
        422,
        "the query exceeded the maximum number of chunks (limit: 2000000 chunks) (err-mimir-max-chunks-per-query). "
        "Consider reducing the time range and/or number of series selected by the query.",
    ),
    "mimir-bytes": (422, "the query exceeded the aggregated chunks size limit (err-mimir-max-chunks-bytes-per-query)"),
    "mimir-memory": (
        422,
        "the query exceeded the maximum allowed estimated amount of memory consumed by a single query (limit: 11 "
        "bytes) (err-mimir-max-estimated-memory-consumption-per-query)",
    ),
    "mimir-length": (
        422,
        "the total query time range exceeds the limit (query length: 769h, limit: 768h) "
        "(err-mimir-max-total-query-length)",
    ),
    "thanos-sidecar": (
        422,
        "expanding series: proxy Series(): rpc error: code = Aborted desc = receive series from Addr: 127.0.0.1:1: "
        "rpc error: code = Unknown desc = failed to send samples: limit 120 violated (got 240)",
    ),
    "thanos-store-chunks": (422, "rpc error: code = ResourceExhausted desc = exceeded chunks limit: limit 5 violated"),
    "thanos-store-bytes": (
        422,
        "rpc error: code = ResourceExhausted desc = exceeded bytes limit while fetching chunks: limit 100 violated",
    ),
    "remote-read": (422, "remote_read: remote server returned HTTP status 400: exceeded sample limit (5000)"),
    "vm-samples": (
        422,
        "cannot select more than -search.maxSamplesPerQuery=1000 samples; possible solutions: increase the "
        "-search.maxSamplesPerQuery; reduce time range for the query; use more specific label filters",
    ),
    "vm-per-series": (422, "cannot process more than 30000000 samples per series; either increase ..."),
    "vm-points": (422, "too many points for the given start=1, end=2 and step=1: 40000; the maximum number of points"),
    "vm-memory": (422, "not enough memory for processing 12 data points across 3 time series with 4 points in each"),
    "grpc-message": (
        500,
        "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (2 vs. 1)",
    ),
    "grpc-other": (500, "rpc error: code = ResourceExhausted desc = out of something"),
    "google-memory": (
        500,
        "expanding series: generic::aborted: User /x has requested 5853MiB of memory for processing queries on one "
        "Monarch node (limit 5847MiB), refusing to grant further memory for this query.",
    ),
    "nobody-we-know": (422, "this query returns too many points for the tenant"),
}


@pytest.mark.parametrize(("status", "text"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_too_much_data_means_ask_for_less(status: int, text: str) -> None:
    made = failure(status, said(text))
    assert isinstance(made.error, TooMuch)
    assert not made.error.slow
    assert not made.error.series
    assert not made.again, "the same again would be refused again"


SERIES = {
    "cortex": (422, "the query hit the max number of series limit (limit: 5 series)", "max-fetched-series-per-query"),
    "amazon": (422, "expanding series: the query hit the max number of series limit (limit: 12000000 series)", "-quer"),
    "mimir": (
        422,
        "the query exceeded the maximum number of series (limit: 5 series) (err-mimir-max-series-per-query). Consider "
        "reducing the time range and/or number of series selected by the query.",
        "-querier.max-fetched-series-per-query",
    ),
    "thanos-store": (
        422,
        "rpc error: code = ResourceExhausted desc = exceeded series limit: limit 10 violated (got 11)",
        "--store.limits.request-series",
    ),
    "cortex-store": (
        422,
        "expanding series: fetch postings for block 01M8: rpc error: code = ResourceExhausted desc = exceeded series "
        "limit: rpc error: code = Code(422) desc = limit 2 violated (got 8)",
        "-querier.max-fetched-series-per-query",
    ),
    "prometheus": (422, "query would load too many series into memory in query execution", "global.query_max_series"),
    "thanos-sidecar": (
        422,
        "rpc error: code = Unknown desc = failed to send series: limit 10 violated (got 11); context canceled",
        "--store.limits.request-series",
    ),
    "vm": (
        422,
        "the number of matching timeseries exceeds 2; either narrow down the search or increase -search.max* "
        "command-line flag values (the most likely limit is -search.maxUniqueTimeseries)",
        "-search.maxUniqueTimeseries",
    ),
    "vm-older": (
        422,
        "the number of matching unique timeseries exceeds 2; either narrow down the search or increase "
        "-search.maxUniqueTimeseries",
        "-search.maxUniqueTimeseries",
    ),
    "vm-response": (
        422,
        "the response contains more than -search.maxResponseSeries=2 time series: 9 series; either increase it",
        "-search.maxResponseSeries",
    ),
}


@pytest.mark.parametrize(("status", "text", "knob"), SERIES.values(), ids=SERIES)
def test_too_many_series_is_said_plainly_with_what_mends_it(status: int, text: str, knob: str) -> None:
    made = failure(status, said(text))
    assert isinstance(made.error, TooMuch)
    assert made.error.series
    assert not made.again
    assert "selects too many series" in str(made.error)
    assert knob in str(made.error)
    assert "history.match" in str(made.error)


AGAIN = {
    "503": (503, "Service Unavailable"),
    "502": (502, ""),
    "canceled": (503, "query was canceled in query execution"),
    "context": (422, "expanding series: context canceled"),
    "eof": (500, 'Post "http://ingester": EOF'),
    "store-away": (
        422,
        "expanding series: proxy Series(): rpc error: code = Unavailable desc = connection error: desc = "
        '"transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"',
    ),
    "slow-dial": (500, "rpc error: code = Unavailable desc = last connection error: context deadline exceeded"),
    "queue": (503, "query timed out in query queue"),
    "cortex-load": (422, "cpu utilization limit reached (limit: 0.800, utilization: 0.912): resource limit reached"),
    "cortex-ring": (500, "too many unhealthy instances in the ring"),
    "mimir-store": (500, "failed to fetch some blocks (err-mimir-store-consistency-check-failed)"),
    "google-load": (
        500,
        "expanding series: generic::aborted: invalid status monarch::220: Cancelled due to the number of queries whose "
        "evaluation is blocked waiting for memory is 502, which is equal to or greater than the limit of 500.",
    ),
    "aws": (400, "ThrottlingException: Rate exceeded"),
}


@pytest.mark.parametrize(("status", "text"), AGAIN.values(), ids=AGAIN)
def test_what_passes_is_tried_again(status: int, text: str) -> None:
    made = failure(status, said(text))
    assert isinstance(made.error, HistoryUnreachable)
    assert made.again
    assert not made.quiet


SLOW = {
    "prometheus": (503, "query timed out in expression evaluation"),
    "amazon": (422, "query timed out in query execution"),
    "vm": (422, "timeout exceeded during query execution: 30.000 seconds (see -search.maxQueryDuration flag)"),
    "grpc": (500, "rpc error: code = DeadlineExceeded desc = context deadline exceeded"),
}


@pytest.mark.parametrize(("status", "text"), SLOW.values(), ids=SLOW)
def test_what_is_too_slow_is_asked_for_less_a_few_times(status: int, text: str) -> None:
    made = failure(status, said(text))
    assert isinstance(made.error, TooMuch)
    assert made.error.slow


NEVER = {
    "labels-that-say-anything": (
        422,
        'found duplicate series for the match group {pod="rpc-timeout-1"} on the right hand-side of the operation: '
        '[{reason="deadline exceeded"}, {reason="limit exceeded"}];many-to-many matching not allowed',
    ),
    "vm-query-length": (422, "too long query; got 20000 bytes; mustn't exceed `-search.maxQueryLen=16384` bytes"),
    "mimir-query-length": (400, "the raw query size exceeds the limit (err-mimir-max-query-expression-size-bytes)"),
    "mimir-blocked": (422, "the request has been blocked by the cluster administrator (err-mimir-query-blocked)"),
    "a-query-that-names-limits": (400, 'parse error: unexpected "limit exceeded": timeout, context canceled'),
    "a-query-that-vm-repeats": (
        422,
        'error when executing query="sum(request_timeout_total{reason=\\"limit exceeded\\"})" on the time range: '
        "cannot evaluate: unknown func",
    ),
}


@pytest.mark.parametrize(("status", "text"), NEVER.values(), ids=NEVER)
def test_what_neither_time_nor_less_would_mend_is_refused(status: int, text: str) -> None:
    made = failure(status, said(text))
    assert type(made.error) is HistoryRefused
    assert not made.again


@pytest.mark.parametrize(
    "text",
    [
        "",
        "too many outstanding requests",
        "couldn't start executing the request in 10.000 seconds, since -search.maxConcurrentRequests=4 concurrent "
        "requests are executed",
        "the tenant exceeded the request rate limit (err-mimir-tenant-max-request-rate)",
        "the query hit the max number of chunks limit",
        "the query hit the max number of series limit",
        "Quota exceeded for quota metric 'Time series queries' and limit 'Time series queries per minute'",
    ],
)
def test_429_means_wait_whatever_limit_it_speaks_of(text: str) -> None:
    for body in (text, said(text)):
        made = failure(429, body, retry_after="10")
        assert isinstance(made.error, HistoryUnreachable)
        assert "asks us to wait (429, 10 s)" in str(made.error)
        assert (made.again, made.quiet, made.wait) == (True, True, 10.0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW - 30, usegmt=True), 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-1", 0.0),
        ("1e9", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date_of_the_servers_clock(header: str, seconds: float) -> None:
    assert failure(429, "", retry_after=header).wait == seconds
    assert failure(503, "overloaded", retry_after=header).wait == seconds
    assert failure(503, "overloaded", retry_after=header).quiet == (seconds > 0)


@pytest.mark.parametrize(
    ("body", "mend"),
    [
        ('{"message":"Missing Authentication Token"}', "history.auth.sigV4"),
        ("<MissingAuthenticationTokenException><Message>Missing Authentication Token</Message>", "signing proxy"),
        ('{"message":"The security token included in the request is expired"}', "check our AWS credentials"),
        ('{"message":"Credential should be scoped to a valid region."}', "sigV4.region"),
        ('{"message":"User: arn:aws:sts::1:x is not authorized to perform: aps:QueryMetrics"}', "aps:QueryMetrics on"),
    ],
)
def test_amazons_403_says_what_to_set(body: str, mend: str) -> None:
    assert mend in str(failure(403, body).error)


def test_googles_401_says_what_to_set() -> None:
    body = (
        '{"error":{"code":401,"message":"Request had invalid credentials. Expected OAuth 2 access token, login ..."}}'
    )
    assert "its prometheus-engine's frontend" in str(failure(401, body).error)


def test_a_403_of_others_speaks_of_nobodys_cloud() -> None:
    assert "sigV4" not in str(failure(403, '{"status":"error","error":"not for you"}').error)


def test_the_reason_is_shown_though_much_comes_before_it() -> None:
    text = str(failure(422, said("x" * 1000 + " cannot select more than -search.maxSamplesPerQuery=5")).error)
    assert "cannot select more than" in text
    assert len(text) < 500


def test_every_wording_is_a_pattern_with_a_source() -> None:
    for wording in WORDINGS:
        re.compile(wording.pattern)
        assert wording.source or wording.servers == "others"
        assert bool(wording.knob) == (wording.meaning == "series")
