"""Documents of profiles in files: JSON, CSV, and Parquet where pyarrow is installed. The suffix says which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from descheduler.model.errors import UsageError
from descheduler.model.whole_files import check_free, written_whole
from descheduler_profiling.export import ProfilesDocument, from_json, to_csv, to_json
from descheduler_profiling.export_parquet import pyarrow_modules, read_parquet, write_parquet


def _write_json(doc: ProfilesDocument, path: Path) -> None:
    path.write_bytes(to_json(doc, indent=1) + b"\n")


def _write_csv(doc: ProfilesDocument, path: Path) -> None:
    path.write_text(to_csv(doc), encoding="utf-8")


WRITERS: Mapping[str, Callable[[ProfilesDocument, Path], None]] = {
    ".json": _write_json,
    ".csv": _write_csv,
    ".parquet": write_parquet,
}


def check_path(path: Path, *, overwrite: bool = False) -> None:
    """Find out before any work whether `write` can write such a file. Raises UsageError as it does."""
    check_free(path, overwrite=overwrite)
    if path.suffix not in WRITERS:
        raise UsageError(f"{path}: profiles are written as {', '.join(WRITERS)}, not {path.suffix or 'a folder'}")
    if path.suffix == ".parquet":
        pyarrow_modules()


def write(doc: ProfilesDocument, path: Path, *, overwrite: bool = False) -> None:
    """Write to a `.json`, `.csv` or `.parquet` file, whole or not at all.

    Raises:
        UsageError: another suffix, a file that is there (without `overwrite`) or cannot be written, or Parquet without
            pyarrow.
    """
    check_path(path, overwrite=overwrite)
    with written_whole(path, overwrite=overwrite) as aside:
        WRITERS[path.suffix](doc, aside)


def read(path: Path) -> ProfilesDocument:
    """Read a `.json` or `.parquet` file that `write` made.

    Raises:
        UsageError: it cannot be read, or is Parquet and there is no pyarrow.
        DocumentError: not such a document, of a later version, or damaged.
    """
    try:
        return read_parquet(path) if path.suffix == ".parquet" else from_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
