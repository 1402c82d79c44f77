"""The lock, read: what it pins for a Python, and by which hashes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS: Final = Path(__file__).resolve().parents[2] / "locks"
NAMES: Final = ("build", "run", "inventory", "dev")


@dataclass(frozen=True, slots=True)
class Pin:
    """One version of one project, for the Pythons and platforms that its marker fits."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        (only,) = self.requirement.specifier
        assert only.operator == "=="
        return only.version

    def fits(self, python: str) -> bool:
        """Whether it counts on Linux with CPython of this version (`3.13.1`)."""
        marker = self.requirement.marker
        return marker is None or marker.evaluate(
            {
                "python_full_version": python,
                "python_version": ".".join(python.split(".")[:2]),
                "sys_platform": "linux",
                "os_name": "posix",
                "platform_system": "Linux",
                "implementation_name": "cpython",
                "platform_python_implementation": "CPython",
            }
        )


def read(lock: str) -> Iterator[Pin]:
    """Every pin of `locks/<lock>.txt`."""
    text = re.sub(r"^\s*#.*\n", "", (LOCKS / f"{lock}.txt").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        written, *hashes = line.split("--hash=")
        yield Pin(Requirement(written.strip()), tuple(map(str.strip, hashes)))


def pins(lock: str, python: str) -> dict[str, str]:
    """Versions by normalized name, on Linux with this Python."""
    found = [pin for pin in read(lock) if pin.fits(python)]
    versions = {pin.name: pin.version for pin in found}
    assert len(versions) == len(found), "one version of each"
    return versions
