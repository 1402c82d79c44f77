"""The lock keeps what pyproject.toml asks for, names every file by its hash, and no place to get it from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release.locks import LOCKS, NAMES, pins, read

PROJECT: dict[str, Any] = tomllib.loads((LOCKS.parent / "pyproject.toml").read_text())
PYTHONS = ("3.11.0", "3.12.4", "3.13.16", "3.14.1")
RENEW = "`make lock` renews locks/ after a change of pyproject.toml"


def of_group(name: str) -> Iterator[str]:
    for entry in PROJECT["dependency-groups"][name]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from of_group(entry["include-group"])


def asked_for() -> dict[str, list[str]]:
    """The requirements that each lock must keep."""
    own = PROJECT["project"]["dependencies"]
    extras = PROJECT["project"]["optional-dependencies"]
    return {
        "build": [*PROJECT["build-system"]["requires"], *of_group("build")],
        "run": [*own, *extras["sigv4"], *extras["postgresql"]],
        "inventory": [*of_group("inventory")],
        "dev": [*own, *(one for extra in extras.values() for one in extra), *of_group("dev")],
    }


def broken(requirements: Iterable[str], kept: dict[str, str]) -> list[str]:
    """Those that the versions in `kept` do not satisfy."""
    wanted = [Requirement(text) for text in requirements]
    return [
        f"{one} (locked: {kept.get(canonicalize_name(one.name), 'not at all')})"
        for one in wanted
        if canonicalize_name(one.name) not in kept
        or not one.specifier.contains(kept[canonicalize_name(one.name)], prereleases=True)
    ]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", NAMES)
def test_the_lock_satisfies_what_is_asked_for(lock: str, python: str) -> None:
    assert not broken(asked_for()[lock], pins(lock, python)), RENEW


def test_a_requirement_that_the_lock_does_not_keep_is_told() -> None:
    kept = pins("run", "3.13.0")
    assert broken(["numpy>=99", "no-such-thing"], kept) == [
        f"numpy>=99 (locked: {kept['numpy']})",
        "no-such-thing (locked: not at all)",
    ]


@pytest.mark.parametrize("python", PYTHONS)
def test_all_locks_agree(python: str) -> None:
    everything = pins("dev", python)
    for lock in NAMES:
        assert pins(lock, python).items() <= everything.items(), RENEW


@pytest.mark.parametrize("lock", NAMES)
def test_every_file_is_known_by_its_hash(lock: str) -> None:
    found = list(read(lock))
    assert found
    assert not [pin.name for pin in found if not pin.hashes]
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for pin in found for one in pin.hashes)


@pytest.mark.parametrize("lock", NAMES)
def test_any_index_will_do(lock: str) -> None:
    text = (LOCKS / f"{lock}.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", re.sub(r"^\s+--hash=\S+.*$", "", text, flags=re.MULTILINE), re.MULTILINE)
