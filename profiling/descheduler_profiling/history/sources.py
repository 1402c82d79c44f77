"""Who measures: whose series count, where any tenant may expose series of the same names about anybody's pods.

A scrape gives its series labels of the target (`job`, `metrics_path`, `namespace`, `instance`), which the target itself
cannot choose unless the scrape honours what it says (`honor_labels`). So the series of each kind are held to the labels
of the one who is to measure it: as the policy says, or as they are found by `prometheus.measurers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from descheduler_profiling.history import gpu_queries
from descheduler_profiling.history.signals import SOURCES, Query, Signal

CONTAINERS, RULES, GPUS, KOORDLET, OWNERS, NODES = SOURCES
FOUND: Final = (CONTAINERS, GPUS, KOORDLET, OWNERS, NODES)
"""What is asked of the server, or written in a policy; `rules` follow from the others."""
_MATCHER = r'\s*[a-zA-Z_]\w*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"\s*'
_MATCHERS: Final = re.compile(f"{_MATCHER}(?:,{_MATCHER})*")
_OF_GPUS: Final = {
    "gpu": gpu_queries.activity,
    "gpu_least": gpu_queries.least_activity,
    "gpu_memory": gpu_queries.memory_used,
}


def are_matchers(text: str) -> bool:
    """Whether a text is matchers of labels as they stand between the braces of a selector."""
    return _MATCHERS.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Pin:
    """Whose series of one kind count.

    `matchers` are laid into each selector; empty: anybody's. `spaces`: a pattern of the namespaces in which exporters
    run that speak of others' pods under `exported_pod`; empty: any. `sure`: no tenant has these labels unless its
    scrape honours what it says. `jobs`: a pattern of those who measure. `left_out`: who else has such series, and of
    how many pods.
    """

    matchers: str = ""
    spaces: str = ""
    sure: bool = False
    jobs: str = ""
    left_out: tuple[tuple[str, int], ...] = ()


ANYBODY: Final = Pin()


@dataclass(frozen=True, slots=True)
class Sources:
    """The pins by kind; a kind that is not named is anybody's."""

    pins: Mapping[str, Pin] = field(default_factory=dict)

    def pin(self, kind: str) -> Pin:
        return self.pins.get(kind, ANYBODY)

    def fill(self, text: str) -> str:
        """A template in which it stands who measures; `$window` and `$match` are left."""
        for kind in SOURCES:
            matchers = self._rules() if kind == RULES else self.pin(kind).matchers
            text = text.replace(f"${kind}", f",{matchers}" if matchers else "")
        return text

    def of(self, signal: Signal) -> Signal:
        """The signal, read from those who measure it; what a policy asks for in its own words stays as it is."""
        pinned = all(self._sure(query.text) for query in signal.queries)
        queries = tuple(
            replace(
                query, text=self.fill(self._spaced(signal, query)), parts=tuple(self.fill(part) for part in query.parts)
            )
            for query in signal.queries
        )
        return replace(signal, queries=queries, owners=tuple(map(self.fill, signal.owners)), pinned=pinned)

    def _spaced(self, signal: Signal, query: Query) -> str:
        spaces = self.pin(GPUS).spaces
        return _OF_GPUS[signal.name](spaces) if spaces and f"${GPUS}" in query.text else query.text

    def _sure(self, text: str) -> bool:
        kinds = (kind for kind in SOURCES if f"${kind}" in text)
        return all(self.pin(CONTAINERS if kind == RULES else kind).sure for kind in kinds)

    def _rules(self) -> str:
        """Rules leave the labels of targets out, or keep those of who was measured."""
        jobs = [self.pin(kind).jobs for kind in (CONTAINERS, OWNERS)]
        return f"job=~{quoted('|'.join(['', *filter(None, jobs)]))}" if jobs[0] else ""


EVERYBODY: Final = Sources()
"""Nobody is left out."""


def written_pins(written: Mapping[str, str]) -> dict[str, Pin]:
    """The pins that a policy gives as matchers, by kind."""
    return {kind: Pin(text, sure=True, jobs=_jobs(text)) for kind, text in written.items() if text}


def _jobs(matchers: str) -> str:
    """The pattern of the label job in matchers; empty where they say nothing of it."""
    found = re.search(r'(?<!\w)job\s*(=~?)\s*"((?:[^"\\]|\\.)*)"', matchers)
    if found is None:
        return ""
    value = found[2].replace('\\"', '"').replace("\\\\", "\\")
    return value if found[1] == "=~" else escaped(value)


@dataclass(slots=True)
class KnownPins:
    """Who was found to measure, and when (unix seconds), by kind; `question`: on which server, by which matchers."""

    question: str = ""
    found: dict[str, tuple[int, Pin]] = field(default_factory=dict)

    def of(self, question: str) -> dict[str, tuple[int, Pin]]:
        """What is known for a question; nothing for another than before."""
        if question != self.question:
            self.question, self.found = question, {}
        return self.found


def kinds_of(signals: Iterable[Signal]) -> tuple[str, ...]:
    """The kinds of series that queries of the signals are about."""
    texts = [text for one in signals for text in (*(query.text for query in one.queries), *one.owners)]
    return tuple(kind for kind in FOUND if any(f"${kind}" in text for text in texts))


def one_of(label: str, values: tuple[str, ...]) -> str:
    """The matcher of a label that has one of these values."""
    if len(values) == 1:
        return f"{label}={quoted(values[0])}"
    return f"{label}=~{quoted('|'.join(map(escaped, values)))}"


def escaped(value: str) -> str:
    """A value as a regular expression of RE2, whose special characters are Python's."""
    return re.sub(r"([.+*?()|\[\]{}^$\\])", r"\\\1", value)


def quoted(text: str) -> str:
    """A PromQL string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
