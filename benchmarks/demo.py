"""How long does a new user wait? `make demo` from a fresh clone with no caches of ours, and again when it is set up."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _common

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    args = _common.parser(__doc__ or "").parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "descheduler"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        environment = {**os.environ, "XDG_CACHE_HOME": str(Path(folder) / "cache")}
        environment.pop("VIRTUAL_ENV", None)
        first = _timed(clone, environment)
        again = _timed(clone, environment)
        size = (clone / "report.html").stat().st_size
    figures = {"seconds": first, "seconds_when_set_up": again, "report_bytes": size}
    _common.show("make demo", figures, as_json=args.json)


def _timed(clone: Path, environment: dict[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(["make", "demo"], check=False, cwd=clone, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"make demo failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
