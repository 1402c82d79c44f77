"""Named parts as one zip file or one directory: written whole or not at all, and never in the place of anything else.

A file is replaced only where that is asked for. A directory is, if it is empty or holds a recording; of that, only the
parts go that its manifest lists, and whatever else is in it stays.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

from descheduler.kube.recording.read_parts import ReadPart, is_directory, open_parts
from descheduler.model.errors import RecordingError, UsageError
from descheduler.model.whole_files import check_free, name_beside, synced, written_whole

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content gives the same file, whenever it is written
_LEVEL = 9
Listed = Callable[[ReadPart], Collection[str]]
"""The parts of a recording of ours, by a function that reads a part. Raises RecordingError when it is none."""


def check_target(path: Path, listed: Listed, *, overwrite: bool = False) -> Collection[str]:
    """The parts that are there already, of an earlier recording; they may be replaced.

    Raises:
        UsageError: a file is there, and `overwrite` is not set.
        RecordingError: what is there is not a recording's to replace.
    """
    if not is_directory(path):
        check_free(path, overwrite=overwrite)
        return ()
    if path.is_symlink():
        raise RecordingError(f"{path}: is a link to a directory; name the directory itself")
    if not path.is_dir() or not any(path.iterdir()):
        return ()
    try:
        return listed(open_parts(path))
    except RecordingError as e:
        raise RecordingError(
            f"{path}: is a directory with other things in it and no recording; name a new one or a file"
        ) from e


def write_parts(path: Path, parts: Mapping[str, bytes], listed: Listed, *, overwrite: bool = False) -> None:
    """Write all parts, or nothing. Raises as `check_target` does, and RecordingError where it cannot be written."""
    try:
        before = check_target(path, listed, overwrite=overwrite)
        if is_directory(path):
            _write_directory(path, parts, before)
        else:
            _write_zip(path, parts)
    except OSError as e:
        raise RecordingError(f"{path}: cannot be written: {e.strerror or e}") from e


def _write_zip(path: Path, parts: Mapping[str, bytes]) -> None:
    try:
        with (
            written_whole(path, overwrite=True) as aside,
            zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive,
        ):
            for name, data in parts.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED, _LEVEL)
    except UsageError as e:
        raise RecordingError(str(e)) from e


def _write_directory(path: Path, parts: Mapping[str, bytes], before: Collection[str]) -> None:
    """All is written aside first, where a full disk shows; renaming alone is left then, the manifest last."""
    there = path.is_dir()
    if there:
        _check_inside(path, parts, before)
    aside = name_beside(path / "parts") if there else name_beside(path)
    try:
        for name, data in parts.items():
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).write_bytes(data)
            synced(aside / name)
        if not there:
            aside.replace(path)
            return
        for name in sorted(parts, key=lambda one: "/" not in one):
            (path / name).parent.mkdir(exist_ok=True)
            (aside / name).replace(path / name)
        for name in set(before) - set(parts):
            (path / name).unlink(missing_ok=True)
            with suppress(OSError):  # not empty
                (path / name).parent.rmdir()
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _check_inside(path: Path, parts: Mapping[str, bytes], before: Collection[str]) -> None:
    """That no folder in it leads elsewhere, and that no part takes the place of somebody else's file."""
    for name in sorted({*parts, *before}):
        folder = (path / name).parent
        if folder != path and folder.is_symlink():
            raise RecordingError(f"{folder}: is a link to elsewhere, which a recording has none of")
        if name in parts and name not in before and os.path.lexists(path / name):
            raise RecordingError(f"{path / name}: is not of the recording that is there; name a new directory")
