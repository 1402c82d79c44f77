"""Renders kustomizations with the real kustomize: the one on PATH, kubectl's, or one built from its Go module."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from controlplane.components import give_up
from controlplane.missing import MissingComponentError

MANIFESTS: Final = Path(__file__).resolve().parents[2] / "manifests"
# The last release that Go 1.26 builds.
MODULE: Final = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"

Object = dict[str, Any]


@cache
def command() -> tuple[str, ...]:
    """What renders.

    Raises:
        MissingComponentError: nothing does, and it cannot be built.
    """
    if (found := shutil.which("kustomize")) is not None:
        return (found, "build")
    if (kubectl := shutil.which("kubectl")) is not None:
        return (kubectl, "kustomize")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "descheduler" / "kustomize" / MODULE.rpartition("@")[2]
    if not (folder / "kustomize").exists():
        _build(folder)
    return (str(folder / "kustomize"), "build")


def _build(folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise MissingComponentError("kustomize", "no `kustomize`, `kubectl` or `go` on PATH (Go 1.26 builds it)")
    env = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0", "GOFLAGS": ""}
    done = subprocess.run([go, "install", MODULE], env=env, capture_output=True, text=True)
    if done.returncode != 0:
        last = " | ".join(done.stderr.strip().splitlines()[-3:])
        raise MissingComponentError("kustomize", f"`go install {MODULE}` failed: {last}")


@cache
def render(overlay: str) -> tuple[Object, ...]:
    """The objects of `manifests/overlays/<overlay>`, of `<overlay>+<component>+…` with components added.

    The test is skipped (in CI: failed) where nothing can render.
    """
    try:
        renderer = command()
    except MissingComponentError as missing:
        give_up(missing)
    with tempfile.TemporaryDirectory() as own:
        folder = _with_components(Path(own), *overlay.split("+"))
        done = subprocess.run([*renderer, str(folder)], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return tuple(found for found in yaml.safe_load_all(done.stdout) if found)


def _with_components(folder: Path, overlay: str, *components: str) -> Path:
    """The overlay, or with components one as users write their own."""
    base = MANIFESTS / "overlays" / overlay
    if not components:
        return base
    parts = {"resources": [base], "components": [MANIFESTS / "components" / component for component in components]}
    # kustomize takes folders by relative paths only
    own = {key: [os.path.relpath(path, folder.resolve()) for path in paths] for key, paths in parts.items()}
    kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **own}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


def of_kind(overlay: str, kind: str) -> list[Object]:
    return [found for found in render(overlay) if found["kind"] == kind]


def named(overlay: str, kind: str, name: str) -> Object:
    (found,) = [o for o in of_kind(overlay, kind) if o["metadata"]["name"] == name]
    return found
