"""What the benchmark commands share: the flags --json and --data, and one table for people."""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

Figure = int | float | str | bool | None

TESTS = str(Path(__file__).resolve().parents[1] / "tests")
if TESTS not in sys.path:
    sys.path.append(TESTS)  # for `generated`; behind this folder, whose modules come first

DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def parser(description: str, *, data: bool = False) -> argparse.ArgumentParser:
    """A parser with --json and, for benchmarks that read data, --data."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--json", action="store_true", help="the last line of standard output is one JSON object")
    if data:
        made.add_argument(
            "--data",
            type=Path,
            default=Path(os.environ.get("DESCHEDULER_DATA", DEFAULT_DATA)),
            help="folder of the data sets (default: %(default)s; also DESCHEDULER_DATA)",
        )
    return made


def require(folder: Path) -> Path:
    """The folder, or a clean exit that says that it is missing."""
    if not folder.is_dir():
        sys.exit(f"{folder}: no such folder; give --data DIR or set DESCHEDULER_DATA")
    return folder


def peak_mib() -> float:
    """The largest resident size so far of this process and, if larger, of its largest ended child, in MiB."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own, children) / 1024


def show(title: str, figures: Mapping[str, Figure], *, as_json: bool, note: str = "") -> None:
    """Print the figures: a table for people, or one JSON object as the last line."""
    if as_json:
        print(json.dumps({key: _short(value) for key, value in figures.items()}), flush=True)
        return
    table(title, ("figure", "value"), [(key, _short(value)) for key, value in figures.items()], note=note)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Figure]], *, note: str = "") -> None:
    """Print a rich table; numbers to the right."""
    from rich.console import Console
    from rich.table import Table

    made = Table(title=title, caption=note or None)
    for index, column in enumerate(columns):
        made.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        made.add_row(*("" if cell is None else str(_short(cell)) for cell in row))
    Console().print(made)


def _short(value: Figure) -> Figure:
    return float(f"{value:.6g}") if isinstance(value, float) else value
