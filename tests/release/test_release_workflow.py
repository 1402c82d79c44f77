"""What a release is made of, made here with another name for the image; and the workflow that makes it."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from charts.helm_program import helm, program
from manifests.kustomize import command
from release.locks import LOCKS

ROOT = LOCKS.parent
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DIGEST = f"sha256:{'a' * 64}"
COPIED = ("CHANGELOG.md", "charts", "descheduler", "LICENSE", "locks", "manifests", "profiling", "pyproject.toml")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dist/ of a release made from a copy of the sources."""
    folder = tmp_path_factory.mktemp("release")
    for name in (*COPIED, "README.md", "SECURITY.md", "strategies"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    words = [str(ROOT / "release" / "artifacts.sh"), f"v{VERSION}", f"ghcr.io/somebody/descheduler@{DIGEST}", "a/b"]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "HELM": program(), "PYTHON": sys.executable}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder / "dist"


def test_a_release_is_whole_and_its_checksums_are_right(dist: Path) -> None:
    lines = [line.split("  ") for line in (dist / "SHA256SUMS").read_text().splitlines()]
    sums = {name: digest for digest, name in lines}
    assert sums.keys() == {
        f"descheduler-{VERSION}-py3-none-any.whl",
        f"descheduler-{VERSION}.tar.gz",
        f"descheduler-{VERSION}.tgz",
        f"manifests-{VERSION}.tar.gz",
        "policy.v1alpha1.json",
    }
    assert all(hashlib.sha256((dist / name).read_bytes()).hexdigest() == digest for name, digest in sums.items())


def test_chart_and_manifests_of_a_release_name_its_image_and_its_runbooks(dist: Path, tmp_path: Path) -> None:
    done = helm("template", "release", str(dist / f"descheduler-{VERSION}.tgz"), "--set", "prometheusRule.enabled=true")
    assert done.returncode == 0, done.stderr
    with tarfile.open(dist / f"manifests-{VERSION}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    overlay = tmp_path / "manifests" / "overlays" / "dry-run"
    built = subprocess.run([*command(), str(overlay)], capture_output=True, text=True)
    for text in (done.stdout, built.stdout):
        assert f"image: ghcr.io/somebody/descheduler@{DIGEST}" in text
    assert f"https://github.com/a/b/blob/v{VERSION}/docs/runbooks.md#deschedulerpaused" in done.stdout
    assert "OWNER/REPOSITORY" not in done.stdout


def test_the_changelog_has_a_section_of_this_version() -> None:
    sections = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert VERSION in sections


def test_actions_of_others_are_named_by_commit_and_no_job_may_more_than_it_says() -> None:
    uses = [step["uses"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "uses" in step]
    assert uses
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", one) for one in uses)
    assert WORKFLOW["permissions"] == {}
    rights = {name: job["permissions"] for name, job in WORKFLOW["jobs"].items()}
    assert rights["artifacts"] == {"contents": "read"}
    assert rights["pypi"] == {"id-token": "write"}
    assert WORKFLOW["jobs"]["pypi"]["environment"] == "pypi"
    assert [name for name, found in rights.items() if found.get("contents") == "write"] == ["page"]


def test_what_the_workflow_runs_is_there() -> None:
    scripts = " ".join(step.get("run", "") for job in WORKFLOW["jobs"].values() for step in job["steps"])
    for script in re.findall(r"release/[\w.]+\.sh", scripts):
        assert (ROOT / script).stat().st_mode & 0o111
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in re.findall(r"make (\w+)", scripts))
