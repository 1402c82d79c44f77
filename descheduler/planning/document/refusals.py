"""Refusals as rows of a plan that stays small however many pods stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from descheduler.model.bounds import ROWS
from descheduler.model.format import plural
from descheduler.model.plan import RefusalRow


def bounded(rows: Iterable[RefusalRow]) -> Iterator[RefusalRow]:
    """The rows, of each reason the first `ROWS`, then one that counts the rest of them."""
    seen: Counter[str] = Counter()
    rest: Counter[str] = Counter()
    explained: dict[str, str] = {}
    for row in rows:
        seen[row.reason] += 1
        if seen[row.reason] <= ROWS:
            yield row
        else:
            rest[row.reason] += row.count
            explained[row.reason] = row.explanation
    for reason, count in rest.items():
        text = f"{count} more of this reason, not named one by one"
        yield RefusalRow(reason, explained[reason], plural(count, "pod"), "", text, count=count)
