"""The image as a real container engine builds and starts it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from controlplane.missing import MissingComponentError

ROOT: Final = Path(__file__).resolve().parents[2]
IMAGE: Final = "localhost/descheduler:test"
_OWN_BASE: Final = "localhost/descheduler-base:test"
_PACKAGES: Final = "python3,python3-venv,python-is-python3,ca-certificates"
# How this machine reaches its package index; nothing of it stays in the image.
_MOUNTED: Final = ("/etc/ssl/certs", "/etc/pip.conf")
# As restricted as the Deployment. The engine's own limits are higher than a machine that is a container itself may set.
_RUN: Final = (
    *("run", "--rm", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"),
)


def podman(*words: str | Path) -> str:
    """What it prints.

    Raises:
        MissingComponentError: there is none.
        AssertionError: it failed; with the end of what it said.
    """
    done = subprocess.run([_podman(), *map(str, words)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, f"podman {words[0]}: {done.stderr[-3000:]}"
    return done.stdout


def build(folder: Path) -> str:
    """The Containerfile, carried out from the first line to the last; the name of the image.

    Raises:
        MissingComponentError: no podman; or its base can neither be pulled nor made here.
    """
    mounts = [f"--volume={path}:{path}:ro" for path in _MOUNTED if Path(path).exists()]
    podman("build", "--isolation=chroot", *mounts, f"--build-arg=BASE={_base(folder)}", f"--tag={IMAGE}", ".")
    return IMAGE


def command(*words: str, options: Sequence[str] = ("--network=none",)) -> list[str]:
    """What starts the image with these arguments, as the user and with the file system that the Deployment gives."""
    runtime = ["--runtime=runc"] if shutil.which("runc") else []
    return [_podman(), *runtime, *_RUN, *options, IMAGE, *words]


def pinned_base() -> str:
    """The base that the Containerfile names."""
    (found,) = re.findall(r"^ARG BASE=(\S+)$", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    return str(found)


def _podman() -> str:
    found = shutil.which("podman")
    if found is None:
        raise MissingComponentError("podman", "no `podman` on PATH (tests/image/install.sh installs it)")
    return found


def _base(folder: Path) -> str:
    """The pinned base; where it cannot be pulled, this distribution's own Python on a root file system of its own."""
    pinned = pinned_base()
    if subprocess.run([_podman(), "pull", "--quiet", pinned], capture_output=True).returncode == 0:
        return pinned
    if shutil.which("mmdebstrap") is None:
        raise MissingComponentError("base image", f"{pinned} cannot be pulled, and there is no `mmdebstrap`")
    suite = re.search(r"^VERSION_CODENAME=(\S+)$", Path("/etc/os-release").read_text(), re.MULTILINE)
    tar = folder / "base.tar"
    made = subprocess.run(
        ["mmdebstrap", "--variant=minbase", f"--include={_PACKAGES}", suite[1] if suite else "stable", tar],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    podman("import", "--quiet", tar, _OWN_BASE)
    tar.unlink()
    return _OWN_BASE
