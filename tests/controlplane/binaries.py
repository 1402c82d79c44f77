"""The binaries of the control plane, built once from published Go modules.

``go.mod`` beside this file pins them. They land in a cache folder outside the tree, named by the hash of what they are
built from, so that a change of version builds anew and nothing else does. ``KUBEBUILDER_ASSETS`` names a folder with
binaries of one's own instead.

Run as a program it builds what is missing and prints the folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controlplane.missing import MissingComponentError

COMPONENT: Final = "control plane"
ROOM: Final = Path(__file__).resolve().parent
KUBERNETES_VERSION: Final = "1.36.3"
PACKAGES: Final = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
}
# Without the version symbols clients are told v0.0.0-master and pick the wrong API versions.
_VERSION_SYMBOLS: Final = {"gitVersion": f"v{KUBERNETES_VERSION}", "gitMajor": "1", "gitMinor": "36"}
LDFLAGS: Final = " ".join(
    ["-s", "-w", *(f"-X k8s.io/component-base/version.{k}={v}" for k, v in _VERSION_SYMBOLS.items())]
)
BUILD_ENV: Final = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly -buildvcs=false"}
# The go command names a binary by the last element of its path that is not a major version.
_BUILT_NAME: Final = {"etcd": "server"}

Say = Callable[[str], None]


def say_to_stderr(message: str) -> None:
    """Print one line of progress where a person sees it at once."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201


def ensure_binaries(say: Say = say_to_stderr) -> Path:
    """Give the folder that holds every binary of ``PACKAGES``, building them first if need be.

    Raises:
        MissingComponentError: no Go, or the build failed (the reason has the end of its output).
    """
    own = os.environ.get("KUBEBUILDER_ASSETS")
    if own:
        return _checked_own_folder(Path(own))
    folder = cache_folder()
    if _complete(folder):
        return folder
    go = shutil.which("go")
    if go is None:
        raise MissingComponentError(
            COMPONENT, "no `go` on PATH (Go 1.26 or later builds it; or point KUBEBUILDER_ASSETS to built binaries)"
        )
    with _only_one_builder(folder, say):
        if not _complete(folder):
            _build(go, folder, say)
    return folder


def cache_folder() -> Path:
    """Where the binaries of exactly this go.mod, go.sum and these flags are kept."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256()
    for part in (
        (ROOM / "go.mod").read_bytes(),
        (ROOM / "go.sum").read_bytes(),
        LDFLAGS.encode(),
        repr(BUILD_ENV).encode(),
    ):
        digest.update(hashlib.sha256(part).digest())
    return base / "descheduler" / "controlplane" / digest.hexdigest()[:16]


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in PACKAGES)


def _checked_own_folder(folder: Path) -> Path:
    absent = [name for name in PACKAGES if not os.access(folder / name, os.X_OK)]
    if absent:
        raise MissingComponentError(COMPONENT, f"KUBEBUILDER_ASSETS={folder} lacks {', '.join(absent)}")
    return folder


@contextmanager
def _only_one_builder(folder: Path, say: Say) -> Iterator[None]:
    """Hold a lock file beside ``folder``: a second test process waits for the first one's build, not repeating it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("control plane: waiting for another process that builds it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(go: str, folder: Path, say: Say) -> None:
    say(
        f"control plane: building Kubernetes {KUBERNETES_VERSION}, etcd and kwok into {folder}"
        " (once; about 4 minutes on 2 cores)"
    )
    began = time.monotonic()
    staging = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        command = [go, "build", "-ldflags", LDFLAGS, "-o", f"{staging}{os.sep}", *PACKAGES.values()]
        with _ticking(say, began):
            done = subprocess.run(command, cwd=ROOM, env={**os.environ, **BUILD_ENV}, capture_output=True, text=True)
        if done.returncode != 0:
            last_words = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
            raise MissingComponentError(COMPONENT, f"`go build` failed: {last_words}")
        for name, built in _BUILT_NAME.items():
            (staging / built).rename(staging / name)
        staging.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    say(f"control plane: built in {time.monotonic() - began:.0f} s")


@contextmanager
def _ticking(say: Say, began: float, every: float = 30.0) -> Iterator[None]:
    """Say twice a minute that the build is still going on."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(every):
            say(f"control plane: still building ({time.monotonic() - began:.0f} s)")

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def main() -> int:
    """Build what is missing; print the folder, or say why not and return 1."""
    try:
        say = say_to_stderr
        print(ensure_binaries(say))  # noqa: T201
    except MissingComponentError as missing:
        say_to_stderr(str(missing))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
