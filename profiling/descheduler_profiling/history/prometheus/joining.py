"""Several queries as one: for each pod, at each time, the first of them that measures it.

Half of the nodes may have the labels, the recording rule, the exporter or the kind of GPU that the best query needs.
The text says only which queries there are and in what order, so that it stays the same whichever pods come and go.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler_profiling.history.signals import Query, Signal

_POD = ("namespace", "pod")
_OR = ") or on (namespace, pod) ("


def joins(query: Query) -> bool:
    """Whether a query can be one of several: its series are pods', told apart as all others."""
    return query.shape == "pod" and (query.namespace, query.name) == _POD


def joined(queries: Sequence[Query]) -> Query:
    """One query for all; the first comes first."""
    if len(queries) == 1:
        return queries[0]
    return Query(f"({_OR.join(query.text for query in queries)})")


def parts(signal: Signal, text: str, window_seconds: int, match: str) -> tuple[Query, ...]:
    """The queries of the signal that a rendered text is made of; none when it is not made of them."""
    known = {query.render(window_seconds, match): query for query in signal.queries}
    if text in known:
        return (known[text],)
    pieces = text.removeprefix("(").removesuffix(")").split(_OR)
    return tuple(known[piece] for piece in pieces) if len(pieces) > 1 and all(p in known for p in pieces) else ()


def added_by(other: str, current: str) -> str:
    """The series of a query that another has no pods for; both rendered."""
    return f"({other}) unless on (namespace, pod) ({current})"
