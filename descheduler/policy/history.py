"""Where history comes from, and how it is read."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from descheduler.contract.naming import Free, Names, PromQL, SignalName
from descheduler.contract.types import Duration, Fraction
from descheduler.policy.section import Section
from descheduler.policy.selecting import Name
from descheduler_profiling.history.defaults import CEILING, MAX_CONCURRENCY, MAX_SAMPLES, REFIT, STEP, TIMEOUT
from descheduler_profiling.history.gpu_queries import GPU_ACTIVITY
from descheduler_profiling.history.prometheus.sigv4 import SERVICE
from descheduler_profiling.history.sources import are_matchers


def history_url(value: str) -> str:
    """An address of a history server as it is given; raises ValueError without the value, which may hold a secret."""
    try:
        parts = urlsplit(value)
        fits = (parts.port is None or parts.port > 0) and re.fullmatch(r"[!-~]+", value)
    except ValueError:  # whose text may repeat a password
        raise ValueError("is not a URL such as http://prometheus.monitoring:9090") from None
    if not fits or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as http://prometheus.monitoring:9090")
    if "@" in parts.netloc:
        raise ValueError("must not hold credentials: use auth.basic or auth.bearerTokenFile")
    if parts.query or parts.fragment:
        raise ValueError("must not hold parameters: use history.params")
    return value


def _header(value: str) -> str:
    if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
        raise ValueError("must be printable ASCII, without blanks at its ends")
    return value


def _header_name(value: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", value):  # a token of RFC 9110, 5.6.2
        raise ValueError("is not the name of a header")
    return value


def _file(value: Path) -> Path:
    if value == Path():
        raise ValueError("must be the path of a file")
    return value


FilePath = Annotated[Path, AfterValidator(_file)]


class BasicAuth(Section):
    """User name and password."""

    username: str = Field(min_length=1)
    """The user."""
    password_file: FilePath
    """File with the password; read again for each request."""


class SigV4Auth(Section):
    """Requests signed for Amazon Managed Service for Prometheus; needs descheduler[sigv4].

    The credentials are found as by Amazon's own tools: environment, service account (IRSA), EKS Pod Identity, instance.
    """

    region: str = Field(pattern=r"^[a-z0-9-]+$")
    """The region of the workspace, such as eu-central-1."""
    service: str = Field(default=SERVICE, min_length=1)
    """The service that the signature is for."""
    profile: str = ""
    """A profile of the AWS configuration instead, as for a role of another account."""


class Auth(Section):
    """Credentials and certificates. Files are read again when they change, so that they may rotate."""

    bearer_token_file: FilePath | None = None
    """File with a bearer token, such as /var/run/secrets/kubernetes.io/serviceaccount/token."""
    basic: BasicAuth | None = None
    """User name and password instead of a token."""
    sig_v4: SigV4Auth | None = None
    """AWS signatures instead of a token."""
    ca_file: FilePath | None = None
    """Certificate authorities (PEM) that the server's certificate is checked against."""
    cert_file: FilePath | None = None
    """Client certificate (PEM) for mutual TLS."""
    key_file: FilePath | None = None
    """Its private key (PEM)."""
    insecure_skip_verify: bool = False
    """Accept any server certificate. Anyone on the way can then decide what is evicted."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.bearer_token_file, self.basic, self.sig_v4)) > 1:
            raise ValueError("give one of bearerTokenFile, basic and sigV4")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("certFile and keyFile belong together")
        return self


def _matchers(value: str) -> str:
    if value and not are_matchers(value):
        raise ValueError('must be matchers of labels, such as job="kubelet",metrics_path="/metrics/cadvisor"')
    return value


Matchers = Annotated[str, AfterValidator(_matchers)]


class HistorySources(Section):
    """Whose series are read, by matchers of labels that the server itself gives to what it scrapes.

    Empty: who measures is found by names of jobs and namespaces (docs/profiles.md).
    """

    containers: Matchers = ""
    """Who measures containers, such as `job="kubelet",metrics_path="/metrics/cadvisor"`."""
    gpus: Matchers = ""
    """Who measures GPUs, such as `job="nvidia-dcgm-exporter",namespace="gpu-operator"`; see IdleGpu."""
    koordlet: Matchers = ""
    """Who is Koordinator's koordlet, such as `job="koordlet",namespace="koordinator-system"`."""
    owners: Matchers = ""
    """Who tells the owners of pods, such as `job="kube-state-metrics"`."""
    nodes: Matchers = ""
    """Who measures nodes as a whole, such as `job="node-exporter",namespace="monitoring"`."""


class NamedSignal(Section):
    """A signal of your own, for strategies that ask for it by name."""

    query: PromQL
    """PromQL, a series for each pod, workload or node. `$window` becomes the rate window, `$match` the matchers."""
    unit: str = ""
    """Its unit, for people."""
    per: Literal["pod", "workload", "node"] = "pod"
    """What a series stands for."""
    namespace_label: Name = "namespace"
    """The label that holds the namespace."""
    name_label: str = ""
    """The label that holds the name; by default the same word as `per`."""
    kind_label: str = ""
    """The label that holds the workload's kind; by default workload_type."""
    aggregation: Literal["mean", "max"] = "mean"
    """How the replicas of a workload become one."""
    ceiling: float = Field(default=CEILING, gt=0)
    """Larger values are taken for errors of measurement."""


class HistoryPolicy(Section):
    """Prometheus, or what speaks its API."""

    url: Annotated[str, AfterValidator(history_url)] | None = None
    """Address, with a path prefix if there is one; `--prometheus` on the command line comes first."""
    server: Literal["prometheus", "thanos", "mimir", "victoriametrics"] = "prometheus"
    """Its kind: some need to be asked not to answer with part of the data."""
    auth: Auth = Auth()
    """Credentials and certificates."""
    headers: dict[Annotated[str, AfterValidator(_header_name)], Annotated[str, AfterValidator(_header)]] = Field(
        default_factory=dict, repr=False
    )
    """Headers of every request, such as X-Scope-OrgID."""
    params: dict[Annotated[Name, Names.FREE], Free] = Field(default_factory=dict, repr=False)
    """Parameters of every request."""
    match: str = ""
    """Matchers added to every built-in query, such as `cluster="a"`, where one server holds several clusters."""
    sources: HistorySources = HistorySources()
    """Whose series the built-in queries read; series of others about the same pods do not count."""
    window: Duration = Field(default=timedelta(days=7), ge=timedelta(hours=1), le=timedelta(days=90))
    """How far back to read; daily and weekly patterns need several of theirs."""
    step: Duration = Field(default=timedelta(seconds=STEP), ge=timedelta(seconds=30), le=timedelta(hours=1))
    """Time between two points."""
    refit: Duration = Field(default=timedelta(seconds=REFIT), ge=timedelta(0), le=timedelta(hours=6))
    """How long forecasts go on from one fit: cycles before it is over add what is new since; 0: each fits anew."""
    timeout: Duration = Field(default=timedelta(seconds=TIMEOUT), ge=timedelta(seconds=1), le=timedelta(minutes=10))
    """How long one query may take."""
    max_concurrency: int = Field(default=MAX_CONCURRENCY, ge=1, le=32)
    """Queries under way at once."""
    max_samples: int = Field(default=MAX_SAMPLES, ge=1000)
    """Samples that one query may return; longer ranges are asked for in parts."""
    queries: dict[SignalName, PromQL] = Field(default_factory=dict)
    """PromQL instead of that of a built-in signal, by its name (cpu, memory, gpu, …)."""
    signals: dict[Annotated[Name, Names.FREE], NamedSignal] = Field(default_factory=dict)
    """Further signals, by name."""
    gpu_series: list[Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]] = Field(
        default_factory=lambda: sorted(GPU_ACTIVITY)
    )
    """Series with one for each GPU, whose labels say which pod it works for; empty: they are not asked."""
    max_staleness: Duration = Field(default=timedelta(minutes=15), ge=timedelta(minutes=1))
    """When the newest point is older than this, the signal is not used."""
    min_coverage: Fraction = 0.8
    """Share of the running pods, an hour old or more, that must have history; with less, the signal is not used."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.window < 12 * self.step:
            raise ValueError("window must hold at least 12 steps")
        both = sorted(set(self.queries) & set(self.signals))
        if both:
            raise ValueError(f"{both[0]} is both under queries and under signals")
        return self
