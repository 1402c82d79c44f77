"""What users may say of LowNodeUtilization and HighNodeUtilization: the names and defaults of the plugins of
kubernetes-sigs/descheduler (pkg/framework/plugins/nodeutilization), and a source of our own."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from descheduler.contract import PluginArgs, StrategyArgs
from descheduler.contract.naming import NamespacePattern, PromQL, Resource
from descheduler.contract.types import Duration, Fraction

LOW, HIGH = "LowNodeUtilization", "HighNodeUtilization"
METRIC = "MetricResource"
"""What a Prometheus query measures, as thresholds name it."""
MEASURED = ("cpu", "memory", "pods")
"""Of what metrics-server and forecasts tell."""


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number of percent, such as 20")
    return value


Percent = Annotated[float, BeforeValidator(_number), Field(ge=0.0, le=100.0)]
Thresholds = Annotated[dict[Resource, Percent], Field(min_length=1)]


class EvictableNamespaces(PluginArgs):
    """Whose pods stay; what they use counts all the same."""

    exclude: tuple[NamespacePattern, ...] = ()
    """Pods of these namespaces stay; `*` stands for any text."""
    include: tuple[NamespacePattern, ...] = Field(default=(), max_length=0)
    """Not supported: say what to exclude."""


class EvictionLimits(PluginArgs):
    """Limits of this strategy alone, beside those of the policy."""

    node: int | None = Field(default=None, ge=0)
    """At most so many pods leave one node in one plan; null: no limit."""


class PrometheusQuery(PluginArgs):
    """What is asked of the history server."""

    query: PromQL
    """PromQL with one series for each node: the label `instance` is its name, the value between 0 and 1."""


class ForecastOf(PluginArgs):
    """Which point of the forecast counts."""

    quantile: Fraction = Field(default=0.95, gt=0, lt=1)
    """Quantile of the summed series of all that runs on a node."""
    horizon: Duration = Field(default=timedelta(hours=1), ge=timedelta(minutes=5), le=timedelta(days=1))
    """The highest point within so long counts."""


class MetricsUtilization(PluginArgs):
    """Where it is known from what nodes use."""

    source: Literal["", "KubernetesMetrics", "Prometheus", "forecast"] = ""
    """`KubernetesMetrics`: metrics-server. `Prometheus`: a query. `forecast`: our profiles of what pods use."""
    metrics_server: bool = False
    """An older word for `source: KubernetesMetrics`."""
    prometheus: PrometheusQuery | None = None
    """The query of `source: Prometheus`."""
    forecast: ForecastOf = ForecastOf()
    """What counts for `source: forecast`."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.metrics_server and self.source == "KubernetesMetrics":
            raise ValueError("give one of source and metricsServer")
        if not self.source and not self.metrics_server:
            raise ValueError("needs a source")
        if self.source == "Prometheus" and not self.metrics_server and self.prometheus is None:
            raise ValueError("source Prometheus needs prometheus.query")
        if self.source == "KubernetesMetrics" and self.prometheus is not None:
            raise ValueError("a query is for source Prometheus")
        return self

    @property
    def chosen(self) -> str:
        """The source that counts."""
        return "KubernetesMetrics" if self.metrics_server else self.source


class LowNodeUtilizationArgs(StrategyArgs):
    """Even out: pods leave nodes that are used above their target, for others that stay below it."""

    thresholds: Thresholds
    """Percent of allocatable, by resource. A node at or below all of these is underutilized."""
    target_thresholds: Thresholds
    """Percent of allocatable, of the same resources. A node above any of these is overutilized."""
    use_deviation_thresholds: bool = False
    """Thresholds are so many percentage points below and above the mean of all nodes."""
    number_of_nodes: int = Field(default=0, ge=0)
    """Nothing is moved unless more nodes than this are underutilized."""
    evictable_namespaces: EvictableNamespaces | None = None
    """Whose pods stay."""
    eviction_limits: EvictionLimits | None = None
    """Limits of this strategy."""
    metrics_utilization: MetricsUtilization | None = None
    """What nodes use; what their pods request, unless given."""

    @model_validator(mode="after")
    def _same_resources(self) -> Self:
        if self.thresholds.keys() != self.target_thresholds.keys():
            raise ValueError("thresholds and targetThresholds must name the same resources")
        for resource, least in self.thresholds.items():
            if least > self.target_thresholds[resource] and not self.use_deviation_thresholds:
                raise ValueError(f"the threshold of {resource} is above its target")
        return self

    @model_validator(mode="after")
    def _measurable(self) -> Self:
        source, named = self.source, set(self.thresholds)
        if source == "Prometheus" and named != {METRIC}:
            raise ValueError(f"with a Prometheus query thresholds name {METRIC}, and nothing else")
        if source in ("KubernetesMetrics", "forecast") and not named.issubset(MEASURED):
            raise ValueError(f"source {source} tells of {', '.join(MEASURED)} only")
        return self

    @property
    def per_node(self) -> int | None:
        """How many pods may leave one node in one plan; None: no limit."""
        return self.eviction_limits.node if self.eviction_limits is not None else None

    @property
    def source(self) -> str:
        """Where it is known from what nodes use; empty: requests."""
        return self.metrics_utilization.chosen if self.metrics_utilization is not None else ""

    @property
    def query(self) -> str:
        """The PromQL of source Prometheus."""
        given = self.metrics_utilization
        return given.prometheus.query if given is not None and given.prometheus is not None else ""


class HighNodeUtilizationArgs(StrategyArgs):
    """Pack: nodes of which little is requested are emptied onto others that are in use."""

    thresholds: Thresholds
    """Percent of allocatable, by resource. A node at or below all of these, of what it has, is underutilized."""
    number_of_nodes: int = Field(default=0, ge=0)
    """Nothing is moved unless more nodes than this are underutilized."""
    eviction_modes: tuple[Literal["OnlyThresholdingResources"], ...] = ()
    """`OnlyThresholdingResources`: pods that request none of the resources of `thresholds` stay."""
    evictable_namespaces: EvictableNamespaces | None = None
    """Whose pods stay; a node with such pods is not emptied."""
    cordon: bool = False
    """Nodes are cordoned while they are emptied, so that replacements and new pods go elsewhere, and uncordoned after
    that (needs the right to patch nodes, component `steering`)."""
    max_nodes: int = Field(default=50, ge=1, le=1000)
    """At most so many nodes are emptied in one plan."""
