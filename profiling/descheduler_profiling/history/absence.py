"""Why a server has nothing to say of a signal: which metric or label is missing, and what in a policy mends it.

It is asked only after no query answered, and cheaply: counts, and the labels of one series.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from descheduler.model.errors import HistoryError, HistoryRefused
from descheduler_profiling.history.outside_queries import WHOLE
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.signals import Query, Signal, builtin_signals

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_SELECTOR = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{{((?:[^{{}}\"]|{_QUOTED})*)\}}")
_MATCHER = re.compile(rf"([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*({_QUOTED})")
_RULE = re.compile(r"[^:]*:([^:]+)(?::[^:]*)?$")  # level:metric:operations, as recording rules are named
_ENDING = re.compile(r"(?:_used)?(?:_seconds|_bytes|_ratio)?(?:_total)?$", re.IGNORECASE)
_OF_TARGETS = ("job", "metrics_path")  # which built-in queries only name for who measures
_NAMED = 6  # values, labels and metrics that are named one by one
_OPERATORS = frozenset({"and", "or", "unless", "atan2", "bool"})  # a selector without a name may follow them
_EXPORTED = "exported_"  # what a scrape without honor_labels puts before a label that the target has too
_EXPORTERS = ("exported_namespace", "exported_pod")
_SPELLINGS = {
    "pod": ("pod_name", "kubernetes_pod_name", "k8s_pod_name", "container_label_io_kubernetes_pod_name"),
    "namespace": ("pod_namespace", "kubernetes_namespace", "k8s_namespace_name"),
    "container": ("container_name", "k8s_container_name"),
}
"""Labels by which other scrape configurations, relabelings and collectors know the same."""
_OF_PODS = "let its exporter tell whose they are (dcgm-exporter: DCGM_EXPORTER_KUBERNETES=true)"


def setting(signal: Signal) -> str:
    """Where a policy says what is asked for this signal."""
    return f"history.{'queries' if signal.name in builtin_signals() else 'signals'}.{signal.name}"


@dataclass(slots=True)
class _Asked:
    """What queries want of a metric: of each group of `labels` one, and what the other matchers (label, text) say."""

    labels: dict[tuple[str, ...], None] = field(default_factory=dict)
    matchers: dict[tuple[str, str], None] = field(default_factory=dict)


def why_absent(client: HistoryClient, signal: Signal, at: int, match: str = "") -> str:
    """What is missing of a signal at a time (Unix seconds), in sentences; empty where that cannot be found out.

    `match`: the matchers that the policy lays into every built-in query.
    """
    try:
        return "; ".join(_reasons(_Server(client, at, match), signal))
    except HistoryError:
        return ""


def why_unnamed(client: HistoryClient, signal: Signal, at: int, match: str = "") -> str:
    """Why the series of a query lack the labels by which its signal tells them apart; as `why_absent` says."""
    server = _Server(client, at, match)
    try:
        asked = _asked(signal.queries)
        there = server.there(asked)
        lacking = {metric: _without(server, signal, metric, asked[metric].labels) for metric in there}
    except HistoryError:
        return ""
    told = [f"{_is_there(metric, there[metric])}{why}" for metric, why in lacking.items() if why]
    return "; ".join(told) or f"keep them in {setting(signal)}: an aggregation drops what it is not `by`"


def exporters_own(client: HistoryClient, signal: Signal, text: str, at: int, match: str = "") -> str:
    """Whether series that a query (`text`) selects name the pod of the exporter, not the one that is measured.

    That is what scraping without `honorLabels` does: the measured one is in labels that begin with `exported_`. The
    sentence that says so; empty where it is not so, or cannot be found out.
    """
    server = _Server(client, at, match)
    try:
        for metric in dict.fromkeys(metric for metric, _ in _selectors(text)):
            whole = server.count(server.within(metric))
            own = [label for label in _EXPORTERS if server.count(server.within(metric, f'{label}!=""')) > whole / 2]
            if own:
                plain = " and ".join(label.removeprefix(_EXPORTED) for label in own)
                return (
                    f"series of {metric} have {' and '.join(own)}, so their {plain} is that of the exporter: scrape "
                    f"with honorLabels: true, or ask by {', '.join(own)} in {setting(signal)}"
                )
    except HistoryError:
        return ""
    return ""


class _Server:
    """Small questions about one instant."""

    def __init__(self, client: HistoryClient, at: int, match: str) -> None:
        self._client = client
        self._at = at
        self.match = match

    def within(self, metric: str, *matchers: str) -> str:
        """The selector of a metric with these matchers and those of the policy."""
        inside = ",".join(filter(None, (*matchers, self.match)))
        return f"{metric}{{{inside}}}" if inside else metric

    def count(self, selector: str) -> int:
        answer = self._client.query(f"count({selector})", self._at)
        return int(answer.series[0].values[0]) if answer.series else 0

    def by(self, label: str, selector: str) -> dict[str, int]:
        """How many series have each value of a label, most first."""
        answer = self._client.query(f"count by ({label}) ({selector})", self._at)
        counts = {one.labels.get(label, ""): int(one.values[0]) for one in answer.series}
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def there(self, metrics: Iterable[str]) -> dict[str, int]:
        """Those of the metrics that are there, with the number of their series."""
        try:
            return self.by("__name__", _named_any(metrics))
        except HistoryRefused:  # some take no patterns of names
            return {metric: count for metric in metrics if (count := self.count(metric))}

    def alike(self, stems: Iterable[str]) -> dict[str, int]:
        """The metrics whose names have one of these in them."""
        try:
            return self.by("__name__", f'{{__name__=~"(?i).*({"|".join(dict.fromkeys(stems))}).*"}}')
        except HistoryRefused:
            return {}

    def labels(self, selector: str) -> tuple[str, ...]:
        """The labels that one of the series has."""
        answer = self._client.query(f"topk(1, {selector})", self._at)
        return tuple(sorted(label for one in answer.series for label in one.labels if label != "__name__"))


def _reasons(server: _Server, signal: Signal) -> Iterator[str]:
    asked = _asked(signal.queries)
    if any(query.parts for query in signal.queries):
        yield _without_whole(server, signal)
        return
    if not asked:
        yield f"write another query in {setting(signal)}"
        return
    there = server.there(asked)
    if not there:
        yield _nowhere(server, signal, tuple(asked))
    for metric, wanted in asked.items():
        if metric in there:
            yield f"{_is_there(metric, there[metric])}{_not_answering(server, signal, metric, wanted)}"


def _without_whole(server: _Server, signal: Signal) -> str:
    """Why nobody can tell what is used outside of pods."""
    root, exported = WHOLE[signal.name]
    if server.count(server.within(root, 'id="/"')) or server.count(server.within(exported)):
        return (
            "nodes are measured as a whole, but they and their pods are not known as nodes of this cluster: both need "
            "a label node, or an instance that is the name or an address of the node"
        )
    return (
        f'this server has neither {root}{{id="/"}} (do metricRelabelings of the kubelet drop it?) nor {exported} of '
        "node-exporter"
    )


def _is_there(metric: str, count: int) -> str:
    return f"{metric} is there ({count} series), but "


def _nowhere(server: _Server, signal: Signal, metrics: tuple[str, ...]) -> str:
    """None of the metrics is there now."""
    some = _some(metrics)
    if any(server.count(f"last_over_time({metric}[1d])") for metric in metrics):
        return f"there were samples of {some} within the last day, and there are none now: did scraping stop?"
    like = server.alike(map(_stem, metrics))
    if like:
        return f"this server has none of {some}, but {_some(like)}: ask for that in {setting(signal)}"
    return (
        f"this server has none of {some}: is it the one that scrapes this cluster (history.url), and is their exporter "
        f"scraped? Where other names hold the same, say so in {setting(signal)}"
    )


def _not_answering(server: _Server, signal: Signal, metric: str, asked: _Asked) -> str:
    """Why no query about a metric answers that is there."""
    if server.match and not server.count(server.within(metric)):
        labels = dict.fromkeys(found[1] for found in _MATCHER.finditer(server.match))
        values = "; ".join(_values(server, label, metric) for label in labels)
        return f"none has {server.match} ({values}): change history.match"
    lacking = _without(server, signal, metric, asked.labels)
    if lacking:
        return lacking
    for label, matcher in asked.matchers:
        if not server.count(server.within(metric, matcher)):
            where = "history.sources" if label in _OF_TARGETS and signal.name in builtin_signals() else setting(signal)
            return f"none has {matcher} ({_values(server, label, server.within(metric))}): see {where}"
    return (
        "no query about it gives a value: are there two samples within each history.step, and numbers? Otherwise ask "
        f"for what there is in {setting(signal)}"
    )


def _without(server: _Server, signal: Signal, metric: str, needed: Iterable[tuple[str, ...]]) -> str:
    """The labels that no series of the metric has, with what mends it; empty when it has one of each group."""
    lacking = [group for group in needed if not any(server.count(server.within(metric, f'{one}!=""')) for one in group)]
    if not lacking:
        return ""
    missing = [label for group in lacking for label in group]
    labels = server.labels(server.within(metric))
    return (
        f"without the label{'s' if len(missing) > 1 else ''} {', '.join(missing)} (it has {_some(labels, 12)}): "
        f"{_mended(missing, labels, signal)}"
    )


def _values(server: _Server, label: str, selector: str) -> str:
    """The values that a label has."""
    return f"{label} is {_some(value or 'not set' for value in server.by(label, selector))}"


def _mended(lacking: Iterable[str], labels: tuple[str, ...], signal: Signal) -> str:
    key = setting(signal)
    exported = [f"{_EXPORTED}{label}" for label in lacking if f"{_EXPORTED}{label}" in labels]
    if exported:
        return f"scrape with honorLabels: true, or ask by {', '.join(exported)} in {key}"
    other = [name for label in lacking for name in _SPELLINGS.get(label, ()) if name in labels]
    if other:
        return f"ask by {', '.join(other)} in {key}"
    kept = _OF_PODS if signal.of_gpus else "keep it when scraping (metricRelabelings drop labels)"
    return f"{kept}, or write a query without it in {key}"


def _asked(queries: Iterable[Query]) -> dict[str, _Asked]:
    """The metrics of the queries, in their order."""
    wanted: dict[str, _Asked] = {}
    for query in queries:
        for metric, inside in _selectors(query.text):
            one = wanted.setdefault(metric, _Asked())
            for label, operator, value in _MATCHER.findall(inside):
                if (operator, value) == ("!=", '""'):
                    one.labels[label,] = None
                elif value != '""':
                    one.matchers[label, f"{label}{operator}{value}"] = None
            named = (query.name,) if query.shape == "node" else (query.namespace, query.name)
            one.labels.update({(label, *_sources(query.text, label)): None for label in named})
    return wanted


def _sources(text: str, label: str) -> tuple[str, ...]:
    """The labels that a query copies (`label_replace`) to another one."""
    return tuple(dict.fromkeys(re.findall(rf'"{label}", "\$1", "(\w+)"', text)))


def _selectors(text: str) -> list[tuple[str, str]]:
    """Metrics of a query with their matchers; those that are written without braces are not told from functions."""
    found = ((one[1], one[2]) for one in _SELECTOR.finditer(text))
    return [(metric, matchers) for metric, matchers in found if metric not in _OPERATORS]


def _named_any(metrics: Iterable[str]) -> str:
    return f'{{__name__=~"{"|".join(dict.fromkeys(metrics))}"}}'


def _stem(metric: str) -> str:
    """What a metric and rules over it have in common: `container_cpu_usage` of what counts CPU seconds."""
    rule = _RULE.match(metric)
    return _ENDING.sub("", rule[1] if rule else metric)


def _some(names: Iterable[str] | Mapping[str, int], most: int = _NAMED) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return f"{', '.join(listed[:most])}{more}" or "none"
