"""Other servers that speak Prometheus's API, another descheduler, and a queue, built once from Go modules.

Each has a folder of its own with the ``go.mod`` that pins it, for what they need does not go together. The versions are
the newest that Go 1.26 builds.

Run as a program it builds what is missing and prints the folders.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controlplane.go_programs import GoPrograms, ensure_built, say_to_stderr
from controlplane.missing import MissingComponentError

_ROOM: Final = Path(__file__).resolve().parent

PROMETHEUS: Final = GoPrograms(
    component="prometheus 3",
    cache="peers",
    room=_ROOM / "prometheus",
    packages={name: f"github.com/prometheus/prometheus/cmd/{name}" for name in ("prometheus", "promtool")},
    what="Prometheus 3.16",
    takes="about 6 minutes on 2 cores",
)
VICTORIA_METRICS: Final = GoPrograms(
    component="victoriametrics",
    cache="peers",
    room=_ROOM / "victoriametrics",
    packages={"victoria-metrics": "github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics"},
    what="VictoriaMetrics 1.136 (LTS)",
    takes="less than a minute",
)
THANOS: Final = GoPrograms(
    component="thanos",
    cache="peers",
    room=_ROOM / "thanos",
    packages={"thanos": "github.com/thanos-io/thanos/cmd/thanos"},
    what="Thanos 0.42",
    tags="slicelabels",  # it casts labels of Prometheus to its own, whose layout must be the old one
    takes="about 8 minutes on 2 cores",
)
CORTEX: Final = GoPrograms(
    component="cortex",
    cache="peers",
    room=_ROOM / "cortex",
    packages={"cortex": "github.com/cortexproject/cortex/cmd/cortex"},
    what="Cortex 1.21",
    takes="about 8 minutes on 2 cores",
    tags="netgo slicelabels",
)
SIGS_DESCHEDULER: Final = GoPrograms(
    component="kubernetes-sigs/descheduler",
    cache="peers",
    room=_ROOM / "sigs",
    packages={"descheduler": "sigs.k8s.io/descheduler/cmd/descheduler"},
    what="kubernetes-sigs/descheduler 0.36.0",
    takes="about 2 minutes on 2 cores",
)

KUEUE: Final = GoPrograms(
    component="kueue",
    cache="peers",
    room=_ROOM / "kueue",
    packages={"kueue": "sigs.k8s.io/kueue/cmd/kueue"},
    what="Kueue 0.17.0",
    takes="about 8 minutes on 2 cores",
)
SCHEDULER_PLUGINS: Final = GoPrograms(
    component="scheduler-plugins",
    cache="peers",
    room=_ROOM / "scheduler_plugins",
    packages={"scheduler": "sigs.k8s.io/scheduler-plugins/cmd/scheduler"},
    what="scheduler-plugins 0.34.7",
    takes="about 5 minutes on 2 cores",
)


def main() -> int:
    """Build what is missing; print the folders, or say why not and return 1."""
    failed = False
    for programs in (SIGS_DESCHEDULER, VICTORIA_METRICS, PROMETHEUS, THANOS, CORTEX, KUEUE, SCHEDULER_PLUGINS):
        try:
            print(ensure_built(programs))  # noqa: T201
        except MissingComponentError as missing:
            say_to_stderr(str(missing))
            failed = True
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
