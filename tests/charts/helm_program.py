"""Helm, built once from its Go module, and kept; what it makes of the chart.

Run as a program it builds Helm if need be and prints where it is.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import yaml

from controlplane.binaries import KUBERNETES_VERSION
from controlplane.components import give_up
from controlplane.go_programs import GoPrograms, build_and_tell, ensure_built
from controlplane.missing import MissingComponentError

CHART: Final = Path(__file__).resolve().parents[2] / "charts" / "descheduler"
VERSION: Final = "v3.22.0"
# Without these it takes itself for a client of Kubernetes 1.20, which no chart of today is for.
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.split(".")
_SYMBOLS: Final = {
    "pkg/chartutil.k8sVersionMajor": _MAJOR,
    "pkg/chartutil.k8sVersionMinor": _MINOR,
    "internal/version.version": VERSION,
}
HELM: Final = GoPrograms(
    component="helm",
    cache="helm",
    room=Path(__file__).resolve().parent / "helm",
    packages={"helm": "helm.sh/helm/v3/cmd/helm"},
    what=f"Helm {VERSION}",
    takes="about a minute on 2 cores",
    symbols=tuple(f"-X helm.sh/helm/v3/{name}={value}" for name, value in _SYMBOLS.items()),
)

Object = dict[str, Any]


@cache
def program() -> str:
    """The path of Helm; the test is skipped (in CI: failed) where it cannot be built."""
    try:
        return str(ensure_built(HELM) / "helm")
    except MissingComponentError as missing:
        give_up(missing)


def helm(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run it, with its own files in `folder`."""
    env = {"HOME": str(folder or tempfile.gettempdir()), "PATH": "/usr/bin:/bin"}
    return subprocess.run([program(), *words], capture_output=True, text=True, timeout=180, env=env)


@cache
def render(*settings: str, namespace: str = "descheduler") -> tuple[Object, ...]:
    """The objects of the chart with these values (`--set`), without its hooks."""
    sets = [word for one in settings for word in ("--set", one)]
    done = helm("template", "release", str(CHART), "--namespace", namespace, "--no-hooks", *sets)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return tuple(found for found in yaml.safe_load_all(done.stdout) if found)


if __name__ == "__main__":
    raise SystemExit(build_and_tell(lambda: ensure_built(HELM) / "helm"))
