"""Which real components this machine has, and what becomes of a test that needs one it has not."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, NoReturn

import pytest

from controlplane import binaries, browser, postgresql, prometheus
from controlplane.missing import MissingComponentError

#: Begins the reason of every skip for a missing component, so that the end of the run can list them all.
SKIP_PREFIX: Final = "real component missing"

#: Marker of the tests that need a component -> what looks for it (building it, if that is how it is had).
FINDERS: Final[dict[str, Callable[[], object]]] = {
    "controlplane": binaries.ensure_binaries,
    "prometheus": prometheus.find_programs,
    "browser": browser.find_programs,
    "postgresql": postgresql.find_programs,
}


def find(component: str) -> MissingComponentError | None:
    """Look for a component by its marker; why it is missing, or None if it is there."""
    try:
        FINDERS[component]()
    except MissingComponentError as missing:
        return missing
    return None


def give_up(missing: MissingComponentError) -> NoReturn:
    """Skip the test at hand; where ``CI=true``, fail it, for a skip there would be a hole that nobody sees."""
    message = f"{SKIP_PREFIX}: {missing}"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def summarize(skipped: list[tuple[str, str]]) -> list[str]:
    """Lines for the end of the run: each missing component with its reason and the tests that were skipped for it.

    Args:
        skipped: (test, reason of its skip) of every skipped test.
    """
    by_reason: dict[str, list[str]] = {}
    for test, reason in skipped:
        _, found, missing = reason.partition(f"{SKIP_PREFIX}: ")
        if found:
            by_reason.setdefault(missing, []).append(test)
    lines: list[str] = []
    for missing, tests in sorted(by_reason.items()):
        lines += [f"{missing}", *(f"    skipped: {test}" for test in sorted(tests))]
    return lines
