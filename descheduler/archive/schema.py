"""The tables, in the words of whichever database holds them, and how an earlier version is brought up to date.

What is of a later version is neither read nor written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from descheduler.model.errors import DeschedulerError

_FIRST: Final = """
CREATE TABLE policies (at {real} NOT NULL, hash TEXT NOT NULL, text TEXT NOT NULL{rowid});
CREATE TABLE cycles (
    number {number}, plan TEXT NOT NULL UNIQUE, at {real} NOT NULL, active INTEGER NOT NULL,
    policy TEXT NOT NULL, hot_nodes {real}, planned INTEGER NOT NULL, evicted INTEGER, problem TEXT NOT NULL,
    document {blob} NOT NULL, execution {blob});
CREATE TABLE findings (
    cycle INTEGER NOT NULL REFERENCES cycles ON DELETE CASCADE, strategy TEXT NOT NULL, subject TEXT NOT NULL,
    measure TEXT NOT NULL, resource TEXT NOT NULL,
    value {real} NOT NULL, threshold {real} NOT NULL, after {real} NOT NULL,
    outcome TEXT NOT NULL, text TEXT NOT NULL{rowid});
CREATE TABLE refusals (
    cycle INTEGER NOT NULL REFERENCES cycles ON DELETE CASCADE, reason TEXT NOT NULL, count INTEGER NOT NULL);
CREATE TABLE moves (
    cycle INTEGER NOT NULL REFERENCES cycles ON DELETE CASCADE, action TEXT NOT NULL, kind TEXT NOT NULL,
    strategy TEXT NOT NULL, executor TEXT NOT NULL, pod TEXT NOT NULL, uid TEXT NOT NULL, workload TEXT NOT NULL,
    source TEXT NOT NULL, destination TEXT NOT NULL, result TEXT NOT NULL DEFAULT 'planned',
    reason TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT '', landed TEXT NOT NULL DEFAULT '',
    ready_seconds {real}, helped INTEGER{rowid});
CREATE INDEX cycles_at ON cycles (at);
CREATE INDEX findings_cycle ON findings (cycle);
CREATE INDEX findings_subject ON findings (subject);
CREATE INDEX refusals_cycle ON refusals (cycle);
CREATE INDEX moves_cycle ON moves (cycle);
CREATE INDEX moves_workload ON moves (workload);
CREATE INDEX moves_source ON moves (source);
CREATE INDEX moves_landed ON moves (landed);
CREATE INDEX moves_uid ON moves (uid);
"""
_STEPS: Final = (_FIRST,)  # each from one version to the next
VERSION: Final = len(_STEPS)


class ArchiveError(DeschedulerError):
    """The archive cannot be read or written; the text says why."""


def steps(version: int, types: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """What has to be done from this version on, and the version that each step leads to. `types` are the database's
    words for `real`, `blob`, `number` (a key that counts) and `rowid` (a column that counts rows, where there is none).
    """
    return ((number, step.format_map(types)) for number, step in enumerate(_STEPS[version:], version + 1))


def checked(version: int) -> int:
    """Raises ArchiveError for a version that only later programs know."""
    if version > VERSION:
        raise ArchiveError(f"the archive is of version {version}; this program knows version {VERSION}")
    return version
