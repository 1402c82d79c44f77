"""Network levels as columns: for each level, top to bottom, which nodes share a domain.

A domain is known by the whole path of names from the top, as in Kueue (KEP-2724): rack r1 of block b1 is not rack r1 of
block b2. A node that does not say where it is on a level is in a domain of its own there and on every level below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Ints32, Mask

NODE = "node"
"""The last level of all: each node is a domain."""

_NAMED = 3  # how many names a problem line lists


@dataclass(frozen=True, eq=False, slots=True)
class Levels:
    """L levels over N nodes, top to bottom; the last one, `NODE`, has each node for itself.

    `domain` [L, N] numbers the domains of each level from 0; `known` [L, N] is False where a node does not say, and
    its domain there is its own. `values` names the domains of each level.
    """

    names: tuple[str, ...]
    domain: Ints32
    known: Mask
    values: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.names)

    def size(self, level: int) -> int:
        """How many domains the level has."""
        return len(self.values[level])

    def level(self, name: str) -> int:
        """Position of a level, -1 when there is none of that name."""
        return self.names.index(name) if name in self.names else -1


Column = Sequence[str | None]
"""[N] the name of each node's domain on one level, None where it is not named."""


def levels_of(
    names: Sequence[str], columns: Sequence[Column], nodes: Sequence[str], concerned: Mask
) -> tuple[Levels, tuple[str, ...]]:
    """Levels of the `columns` (one for each of `names`) over the nodes of these names, and what is wrong with them.

    `concerned` [N]: only gaps of these nodes are a problem.
    """
    domain = np.empty((len(names) + 1, len(nodes)), np.int32)
    known = np.ones(domain.shape, np.bool_)
    values: list[tuple[str, ...]] = []
    problems: list[str] = []
    above = np.zeros(len(nodes), np.int32)
    sure = np.ones(len(nodes), np.bool_)
    for i, column in enumerate(columns):
        named = np.fromiter((value is not None for value in column), np.bool_, len(nodes))
        above, found = _numbered(column, above, nodes)
        domain[i], known[i] = above, sure & named
        values.append(found)
        twice = ambiguous(column, above, known[i])
        if twice:
            problems.append(f"topology: {names[i]} {_some(twice)} in several domains above; each counts as another")
        sure = sure & named
    problems.extend(_gaps(names, columns, nodes, concerned))
    domain[-1] = np.arange(len(nodes), dtype=np.int32)
    return Levels((*names, NODE), domain, known, (*values, tuple(nodes))), tuple(problems)


def _numbered(column: Column, above: Ints32, nodes: Sequence[str]) -> tuple[Ints32, tuple[str, ...]]:
    """[N] numbers of the domains, and their names; a node without a value gets a domain of its own."""
    codes: dict[tuple[int, str | None, int], int] = {}
    found: list[str] = []
    out = np.empty(len(nodes), np.int32)
    for node, (parent, value) in enumerate(zip(above.tolist(), column, strict=True)):
        key = (parent, value, -1) if value is not None else (parent, None, node)
        code = codes.setdefault(key, len(codes))
        if code == len(found):
            found.append(value if value is not None else f"? {nodes[node]}")
        out[node] = code
    return out, tuple(found)


def ambiguous(column: Column, domain: Ints32, known: Mask) -> list[str]:
    """Names that occur in more than one domain: used twice, or a wrong label; `domain` and `known` [N] of the level."""
    under: dict[str, set[int]] = {}
    for node in np.flatnonzero(known).tolist():
        value = column[node]
        if value is not None:
            under.setdefault(value, set()).add(int(domain[node]))
    return sorted(value for value, domains in under.items() if len(domains) > 1)


def _gaps(names: Sequence[str], columns: Sequence[Column], nodes: Sequence[str], concerned: Mask) -> list[str]:
    """Nodes that do not say where they are on a level, though they do on a lower one, or on none at all.

    A node that says nothing from some level downwards is no problem: leaves may hang at different heights.
    """
    if not names:
        return []
    named = np.array([[value is not None for value in column] for column in columns], np.bool_)  # [L, N]
    below = np.zeros(len(nodes), np.bool_)
    problems: list[str] = []
    for i in reversed(range(len(names))):
        gap = np.flatnonzero(~named[i] & below & concerned)
        if gap.size:
            problems.append(f"topology: {_some([nodes[n] for n in gap.tolist()])} without {names[i]}")
        below |= named[i]
    lost = np.flatnonzero(~below & concerned)
    if lost.size:
        problems.append(f"topology: {_some([nodes[n] for n in lost.tolist()])} on no level ({', '.join(names)})")
    return problems[::-1]


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    text = ", ".join(names[:_NAMED])
    return f"{text} and {rest} more" if rest > 0 else text
