"""Whatever ships can be reached from a command or a strategy: no module lives for benchmarks and tests alone."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    "descheduler": ROOT,
    "descheduler_profiling": ROOT / "profiling",
    "descheduler_strategies": ROOT / "strategies",
}


def modules() -> dict[str, Path]:
    """Every module that ships, by its dotted name."""
    found: dict[str, Path] = {}
    for package, folder in SOURCES.items():
        for file in sorted((folder / package).rglob("*.py")):
            parts = file.relative_to(folder).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def entry_points() -> set[str]:
    """The modules that the package's metadata names: commands, and everything that is found by entry point."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["scripts"], *project["entry-points"].values()]
    return {target.partition(":")[0] for group in groups for target in group.values()}


def imported(name: str, file: Path) -> Iterator[str]:
    """All that the module may mean by its imports, wherever they stand, and the packages that it is in."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
    yield package


def reached(known: Mapping[str, Path], starts: set[str]) -> set[str]:
    """The modules that the starts import, directly or not."""
    seen: set[str] = set()
    waiting = sorted(starts)
    while waiting:
        name = waiting.pop()
        if name in known and name not in seen:
            seen.add(name)
            waiting += imported(name, known[name])
            waiting.append(name.rpartition(".")[0])
    return seen


def test_every_module_is_reached_from_an_entry_point() -> None:
    known = modules()
    assert sorted(known.keys() - reached(known, entry_points())) == []


def test_a_module_that_nobody_imports_would_be_found() -> None:
    known = modules()
    command_alone = {start for start in entry_points() if start.startswith("descheduler.cli")}
    missing = known.keys() - reached(known, command_alone)
    assert "descheduler.packing.rearrange.rearrangement" in missing, "only a strategy reaches it, and none was asked"
    assert "descheduler.planning.prover" not in missing
