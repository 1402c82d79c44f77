"""The release of Kubernetes that a cluster runs, where what its components do depends on it."""

from __future__ import annotations

import re
from typing import NamedTuple

_PATTERN = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\D|$)")


class Release(NamedTuple):
    """Major and minor: what a component does changes with these, whatever the patch or the vendor."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Release | None:
        """`v1.31.4-gke.1183000`, `v1.30.2+k3s1` or `1.31`; None for what is none."""
        found = _PATTERN.match(text)
        return cls(int(found[1]), int(found[2])) if found else None

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"
