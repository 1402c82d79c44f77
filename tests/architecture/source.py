"""The modules that ship, and what each imports, read from their text."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("descheduler", "profiling/descheduler_profiling", "strategies/descheduler_strategies")


def modules() -> dict[str, Path]:
    """Every module by its dotted name; a package is the module of its `__init__`."""
    found: dict[str, Path] = {}
    for package in PACKAGES:
        base = (ROOT / package).parent
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(base).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """The modules of ours that each imports: anywhere in it, also within functions and for type checkers alone."""
    known = modules()
    return {name: frozenset(_imported(tree(path), known)) - {name} for name, path in known.items()}


def _imported(module: ast.Module, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from within & known.keys()
            if within - known.keys():  # a name of the package itself
                yield node.module
