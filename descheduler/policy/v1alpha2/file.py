"""The file as it is written, without the arguments of plugins."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from descheduler.policy.history import history_url
from descheduler.policy.section import Section
from descheduler.policy.v1alpha2.types import Count, NodeSelectorText

V1ALPHA2: Final = "descheduler/v1alpha2"


class PluginSet(Section):
    """Plugins of one extension point."""

    enabled: tuple[str, ...] | None = None
    disabled: tuple[str, ...] | None = None


class Plugins(Section):
    """Which plugins run, by extension point; the names are those of the format, one of them without capitals."""

    presort: PluginSet | None = None
    sort: PluginSet | None = None
    deschedule: PluginSet | None = None
    balance: PluginSet | None = None
    filter: PluginSet | None = None
    preevictionfilter: PluginSet | None = None


class PluginConfig(Section):
    """A plugin and its arguments, which its own model reads."""

    name: str
    args: dict[str, Any] | None = None


class Profile(Section):
    """Plugins with arguments of their own."""

    name: str = ""
    plugin_config: tuple[PluginConfig, ...] | None = None
    plugins: Plugins | None = None


class SecretReference(Section):
    """A Secret."""

    namespace: str = Field(min_length=1)
    name: str = Field(min_length=1)


class AuthToken(Section):
    """Where a bearer token is."""

    secret_reference: SecretReference


class Prometheus(Section):
    """A server, and how to show who asks."""

    url: Annotated[str, AfterValidator(history_url)]
    auth_token: AuthToken | None = None


class MetricsProvider(Section):
    """Where metrics come from."""

    source: Literal["KubernetesMetrics", "Prometheus"]
    prometheus: Prometheus | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.source == "Prometheus" and self.prometheus is None:
            raise ValueError("source Prometheus needs prometheus.url")
        return self


class MetricsCollector(Section):
    """The former way to say KubernetesMetrics."""

    enabled: bool = False


class V1Alpha2File(Section):
    """A DeschedulerPolicy of that format."""

    api_version: Literal["descheduler/v1alpha2"]
    kind: Literal["DeschedulerPolicy"]
    profiles: tuple[Profile, ...] | None = None
    node_selector: NodeSelectorText | None = None
    max_no_of_pods_to_evict_per_node: Count | None = None
    max_no_of_pods_to_evict_per_namespace: Count | None = None
    max_no_of_pods_to_evict_total: Count | None = None
    eviction_failure_event_notification: bool | None = None
    metrics_collector: MetricsCollector | None = None
    metrics_providers: tuple[MetricsProvider, ...] | None = None
    grace_period_seconds: Count | None = None

    @model_validator(mode="after")
    def _each_source_once(self) -> Self:
        sources = [provider.source for provider in self.metrics_providers or ()]
        twice = next((source for source in sources if sources.count(source) > 1), "")
        if twice:
            raise ValueError(f"metricsProviders names {twice} twice")
        if "KubernetesMetrics" in sources and self.metrics_collector is not None and self.metrics_collector.enabled:
            raise ValueError("metricsCollector and a provider KubernetesMetrics exclude one another")
        return self
