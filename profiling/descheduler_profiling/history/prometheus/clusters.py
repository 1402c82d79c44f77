"""Does the server hold several clusters? Their pods of one name would be taken for one, and their workloads for one.

Asked of the containers' own metric, and decided by what the series are, not by what their labels are called: the same
pod that is measured as two different things at once, or pods that this cluster does not have beside those that it has.
Two replicas of one Prometheus, two that share the nodes between them, labels of nodes, and a pod that has just come
back elsewhere are none of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from descheduler.model.errors import HistoryPartial
from descheduler_profiling.history.owners import OwnerOf
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.collisions import LAST, NAMED_SO, PERHAPS, told_apart
from descheduler_profiling.history.prometheus.wire import Series
from descheduler_profiling.history.signals import Signal, render
from descheduler_profiling.history.sources import EVERYBODY, Sources

_METRICS = (
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
    "node_namespace_pod_container:container_memory_working_set_bytes",
    "node_namespace_pod_container:container_cpu_usage_seconds_total:sum_rate5m",
    "node_namespace_pod_container:container_cpu_usage_seconds_total:sum_irate",
)
_CONTAINERS = ('container!="",container!="POD"', 'container="",image=""')  # the latter where they have no labels

_SAMPLE = 25  # pods that are looked at
_AGAIN = 600  # seconds earlier at which a collision must be there too: servers show what has ended for five minutes
_OURS, _FOREIGN = 0.5, 0.2  # shares of a value's pods that exist here
_ENOUGH = 3  # pods that must have been sampled to call them foreign
_MANY = 0.2  # share of all pods that is not a few, where there are not even so many
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Identity:
    """One of the clusters: its label's value, how many series it has, and the share of its pods that exist here."""

    value: str
    series: int
    here: float | None = None


@dataclass(frozen=True, slots=True)
class Clusters:
    """Several clusters behind one server. `label` tells them apart; empty: none does but nodes and addresses."""

    label: str
    found: tuple[Identity, ...]

    def matcher(self, one: Identity) -> str:
        """What `history.match` must say for one of them alone."""
        label = self.label if re.fullmatch(r"[a-zA-Z_]\w*", self.label) else f'"{self.label}"'
        value = one.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{label}="{value}"'

    def text(self, server: str, match: str) -> str:
        """The finding, with an answer that can be copied."""
        given = f" that match {match}" if match else ""
        if not self.label:
            return (
                f"{server} has series{given} of pods of the same name on several nodes at once, and no label tells the "
                "clusters apart: give each its own (external_labels), then set history.match"
            )
        shown = [f"{one.value or 'none'} ({one.series} series)" for one in self.found[:_SHOWN]]
        if len(self.found) > _SHOWN:
            shown.append(f"{len(self.found) - _SHOWN} more")
        return (
            f"{server} holds several clusters{given}, told apart by the label {self.label}: {', '.join(shown)}; "
            f"name this one in the policy: {self._answer()}"
        )

    def _answer(self) -> str:
        """`history.match`, with the cluster whose pods are those that exist here, where one is."""
        ours = [one for one in self.found if one.here is not None and one.here >= _OURS]
        if len(ours) == 1:
            return f"history.match: {self.matcher(ours[0])} (its pods are those of this cluster)"
        return f"history.match: {self.matcher(self.found[0])}, or another of them"

    def concerns(self, signal: Signal) -> bool:
        """Whether a signal's queries mix them: those that name the label themselves do not."""
        named = re.compile(rf"(?<!\w){re.escape(self.label)}\"?\s*(=|!=)") if self.label else None
        return named is None or not all(named.search(query.text) for query in signal.queries)


def clusters_behind(
    client: HistoryClient, at: int, match: str, owner_of: OwnerOf, sources: Sources = EVERYBODY
) -> Clusters | None:
    """The clusters that the server mixes at a time; None where there is one.

    `owner_of` knows the pods that exist here, and None of all others. Series of others than `sources` do not count.

    Raises:
        HistoryError: as `HistoryClient.query` does; HistoryPartial also where the answer is.
    """
    return _Asking(client, at, match, owner_of, sources).found()


class _Asking:
    """The questions about one instant."""

    def __init__(self, client: HistoryClient, at: int, match: str, owner_of: OwnerOf, sources: Sources) -> None:
        self._client = client
        self._at = at
        self._match = match
        self._owner_of = owner_of
        self._sources = sources
        self._metric = ""

    def found(self) -> Clusters | None:
        rows, counted = self._first_look()
        values = {label: _values(rows, label) for label in (*NAMED_SO, *PERHAPS)}
        several = {label: found for label, found in values.items() if len(found) > 1}
        collided = self._collided(counted)
        if collided is not None:
            return self._named(collided, several)
        for label, found in several.items():
            identities = self._identities(label, found)
            if _different(identities, certain=label in NAMED_SO):
                return Clusters(label, identities)
        return None

    def _first_look(self) -> tuple[list[Series], list[Series]]:
        """How many series there are by the labels that may tell clusters apart, and names that several series have."""
        for metric in _METRICS:
            who = "$rules" if ":" in metric else "$containers"
            self._metric = self._sources.fill(f'{metric}{{pod!=""{who}$more$match}}')
            by_label = f"count by ({', '.join((*NAMED_SO, *PERHAPS))}) ({self._selected()})"
            names = (f"count by (namespace, pod, container) ({self._selected(which)}) > 1" for which in _CONTAINERS)
            found = self._ask(f"({by_label}) or topk({_SAMPLE}, {' or '.join(names)})")
            rows = [one for one in found if "pod" not in one.labels]
            if rows:
                return rows, [one for one in found if "pod" in one.labels]
        return [], []

    def _named(self, labels: Sequence[str], several: dict[str, Counter[str]]) -> Clusters:
        """By the label that says most plainly what differs."""
        order = {label: i for i, label in enumerate((*NAMED_SO, *PERHAPS))}

        def rank(label: str) -> tuple[bool, int, str]:
            return label in LAST, order.get(label, -1 if "cluster" in label.lower() else len(order)), label

        if not labels:
            return Clusters("", ())
        label = min(labels, key=rank)
        counted = several.get(label)
        if counted is None:
            by = label if re.fullmatch(r"\w+", label) else f'"{label}"'
            counted = _values(self._ask(f"count by ({by}) ({self._selected()})"), label)
        return Clusters(label, self._identities(label, counted))

    def _identities(self, label: str, counted: Counter[str]) -> tuple[Identity, ...]:
        """The clusters, the one with the most pods of ours first."""
        by = label if re.fullmatch(r"\w+", label) else f'"{label}"'
        pods = f"count by ({by}, namespace, pod) ({self._selected()})"
        sampled: Counter[str] = Counter()
        ours: Counter[str] = Counter()
        for one in self._ask(f"topk by ({by}) ({_SAMPLE}, {pods})"):
            value = one.labels.get(label, "")
            sampled[value] += 1
            ours[value] += self._owner_of(one.labels.get("namespace", ""), one.labels.get("pod", "")) is not None
        told = {value: ours[value] / many for value, many in sampled.items()} if ours.total() else {}
        made = (Identity(value, series, told.get(value)) for value, series in counted.items())
        return tuple(sorted(made, key=lambda one: (-(one.here or 0.0), -one.series, one.value)))

    def _collided(self, counted: Sequence[Series]) -> list[str] | None:
        """The labels by which one container is several at once, now and ten minutes ago; None where none is.

        `counted` are the names of which there are several series. Of labels that do not name a cluster, only where it
        is more than a few pods: a node that is cut off goes on running a pod that was replaced.
        """
        if not counted:
            return None
        pods = sorted({(one.labels.get("namespace", ""), one.labels.get("pod", "")) for one in counted})
        namespaces, names = ("|".join(sorted({re.escape(one[i]) for one in pods})) for i in (0, 1))
        matchers = f'container!="POD",namespace=~"{_quoted(namespaces)}",pod=~"{_quoted(names)}"'
        now, several = told_apart(self._ask(self._selected(matchers)))
        if not several:
            return None
        before, then = told_apart(self._ask(self._selected(matchers), self._at - _AGAIN))
        if not several & then:
            return None
        labels = [label for label in now if label in before]
        if any(label in NAMED_SO for label in labels) or len(several & then) >= _ENOUGH:
            return labels
        every = self._ask(f"count(count by (namespace, pod) ({self._selected()}))")
        return labels if every and len(several & then) >= _MANY * float(every[0].values[0]) else None

    def _selected(self, matchers: str = "") -> str:
        return render(self._metric.replace("$more", f",{matchers}" if matchers else ""), 0, self._match)

    def _ask(self, promql: str, at: int | None = None) -> tuple[Series, ...]:
        answer = self._client.query(promql, self._at if at is None else at)
        if answer.partial:
            raise HistoryPartial(f"{self._client.connection.name} answers in part only: {'; '.join(answer.partial)}")
        return answer.series


def _different(found: Sequence[Identity], *, certain: bool) -> bool:
    """Whether values of one label are clusters, by the pods behind them; `certain`: by its name they are.

    Where all of them have pods that exist here, they are parts of this cluster.
    """
    told = [one for one in found if one.here is not None]
    if certain:
        return len(told) < len(found) or any(one.here is not None and one.here < _OURS for one in told)
    foreign = any(one.here is not None and one.here < _FOREIGN and one.series >= _ENOUGH for one in told)
    return foreign and any(one.here is not None and one.here >= _OURS for one in told)


def _values(rows: Iterable[Series], label: str) -> Counter[str]:
    counted: Counter[str] = Counter()
    for one in rows:
        counted[one.labels.get(label, "")] += int(one.values[0])
    return counted


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
