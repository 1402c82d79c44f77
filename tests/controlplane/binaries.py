"""The binaries of the control plane, built once from published Go modules.

``go.mod`` beside this file pins them. ``KUBEBUILDER_ASSETS`` names a folder with binaries of one's own instead.

Run as a program it builds what is missing and prints the folder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controlplane.go_programs import GoPrograms, Say, build_and_tell, ensure_built, say_to_stderr
from controlplane.missing import MissingComponentError

KUBERNETES_VERSION: Final = "1.36.3"
# Without the version symbols clients are told v0.0.0-master and pick the wrong API versions.
_VERSION_SYMBOLS: Final = {"gitVersion": f"v{KUBERNETES_VERSION}", "gitMajor": "1", "gitMinor": "36"}
CONTROL_PLANE: Final = GoPrograms(
    component="control plane",
    cache="controlplane",
    room=Path(__file__).resolve().parent,
    packages={
        "etcd": "go.etcd.io/etcd/server/v3",
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
        "kwok": "sigs.k8s.io/kwok/cmd/kwok",
    },
    built_names={"etcd": "server"},
    what=f"Kubernetes {KUBERNETES_VERSION}, etcd and kwok",
    takes="about 4 minutes on 2 cores",
    symbols=tuple(f"-X k8s.io/component-base/version.{k}={v}" for k, v in _VERSION_SYMBOLS.items()),
    or_else="; or point KUBEBUILDER_ASSETS to built binaries",
)


def ensure_binaries(say: Say = say_to_stderr) -> Path:
    """Give the folder that holds every binary of the control plane, building them first if need be.

    Raises:
        MissingComponentError: no Go, or the build failed (the reason has the end of its output).
    """
    own = os.environ.get("KUBEBUILDER_ASSETS")
    return _checked_own_folder(Path(own)) if own else ensure_built(CONTROL_PLANE, say)


def _checked_own_folder(folder: Path) -> Path:
    absent = CONTROL_PLANE.absent_from(folder)
    if absent:
        raise MissingComponentError(CONTROL_PLANE.component, f"KUBEBUILDER_ASSETS={folder} lacks {', '.join(absent)}")
    return folder


if __name__ == "__main__":
    raise SystemExit(build_and_tell(ensure_binaries))
