"""The image comes from what is known by its digest or hash, and from nothing else."""

from __future__ import annotations

import re

from release.locks import LOCKS

TEXT = (LOCKS.parent / "Containerfile").read_text()
LINES = re.sub(r"\\\n", " ", TEXT).splitlines()


def test_the_base_is_named_by_its_digest() -> None:
    (base,) = [line for line in LINES if line.startswith("ARG BASE=")]
    assert re.fullmatch(r"ARG BASE=[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", base)
    assert {line.split()[1] for line in LINES if line.startswith("FROM ")} == {"${BASE}"}


def test_every_installation_checks_hashes_or_asks_no_index() -> None:
    installs = [part for line in LINES if line.startswith("RUN ") for part in line.split("&&") if " install " in part]
    assert installs
    for one in installs:
        assert ("--require-hashes" in one and "--only-binary :all:" in one) or "--no-index" in one, one


def test_a_build_fetches_nothing() -> None:
    (wheel,) = [line for line in LINES if "pip wheel" in line]
    assert {"--no-deps", "--no-build-isolation"} <= set(wheel.split())


def test_nothing_is_added_from_elsewhere() -> None:
    assert not re.search(r"^(ADD|RUN .*(curl|wget|apt-get|https?://))", TEXT, re.MULTILINE)
