"""A real Prometheus on loopback, back-filled with history."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TextIO

import numpy as np
from numpy.typing import ArrayLike

from controlplane.missing import MissingComponentError
from controlplane.processes import ManagedProcess, answers, free_port

COMPONENT: Final = "prometheus"
#: What a server started with ``basic_auth=True`` asks for.
BASIC_AUTH: Final = ("reader", "correct horse")
_BASIC_AUTH_HASH: Final = "$2a$05$n6IfviuI4i.A0IMLfIwFxelEN91eUNp7O9iKCX2gBneuBduYOjPNC"  # bcrypt of BASIC_AUTH[1]


@dataclass(frozen=True, slots=True)
class Series:
    """One time series.

    Attributes:
        name: metric name.
        labels: its labels without the name.
        timestamps: seconds since the epoch, ascending, shape [samples].
        values: shape [samples]; NaN where there is no sample.
    """

    name: str
    labels: Mapping[str, str]
    timestamps: ArrayLike = field(repr=False)
    values: ArrayLike = field(repr=False)


def write_openmetrics(series: Iterable[Series], out: TextIO) -> int:
    """Write OpenMetrics text (https://prometheus.io/docs/specs/om/open_metrics_spec/); the number of samples."""
    written = 0
    for one in series:
        labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in one.labels.items())
        prefix = f"{one.name}{{{labels}}} " if labels else f"{one.name} "
        values = np.asarray(one.values, dtype=np.float64)
        kept = ~np.isnan(values)
        times = np.asarray(one.timestamps, dtype=np.float64)[kept].round(3).tolist()
        out.write("".join([f"{prefix}{v!r} {t!r}\n" for v, t in zip(values[kept].tolist(), times, strict=True)]))
        written += len(times)
    out.write("# EOF\n")
    return written


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def find_programs() -> tuple[str, str]:
    """Paths of ``prometheus`` and ``promtool``.

    Raises:
        MissingComponentError: one of them is not installed.
    """
    found = {name: shutil.which(name) for name in ("prometheus", "promtool")}
    absent = [name for name, path in found.items() if path is None]
    if absent:
        raise MissingComponentError(COMPONENT, f"no `{'` and no `'.join(absent)}` on PATH (Debian package: prometheus)")
    return str(found["prometheus"]), str(found["promtool"])


class PrometheusServer:
    """A running Prometheus.

    Attributes:
        url: its base URL on loopback; stays the same over ``kill`` and ``restart``.
        directory: its data, configuration and log.
    """

    def __init__(self, directory: Path, command: Sequence[str | Path], port: int) -> None:
        self.directory = directory
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._command = command
        self._process: ManagedProcess | None = None

    @classmethod
    def start(
        cls,
        data: str | Iterable[Series],
        directory: Path,
        *,
        retention: str = "100y",
        basic_auth: bool = False,
        extra_flags: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
        scrapes: Sequence[Mapping[str, Any]] = (),
        programs: tuple[str, str] | None = None,
    ) -> Self:
        """Back-fill ``data`` and start serving it.

        Args:
            data: OpenMetrics text, or the series themselves. Without ``scrapes`` this is all there is to query.
            directory: an empty or absent folder of its own.
            retention: how old a sample may be. A short one makes it forget the older part of ``data``.
            basic_auth: ask for ``BASIC_AUTH``.
            extra_flags: more flags of ``prometheus``, for example ``--query.max-samples=1000``.
            settings: more of the section ``global`` of its configuration, for example ``external_labels``.
            scrapes: its ``scrape_configs``.
            programs: paths of ``prometheus`` and ``promtool`` if not the installed ones.

        Raises:
            MissingComponentError: Prometheus is not installed.
            ValueError: promtool refuses the data.
            ComponentDiedError: it does not come up.
        """
        prometheus, promtool = programs or find_programs()
        directory.mkdir(parents=True, exist_ok=True)
        back_fill(promtool, data, directory)
        section = json.dumps({"scrape_interval": "15s", **(settings or {})})
        (directory / "prometheus.yml").write_text(f"global: {section}\nscrape_configs: {json.dumps([*scrapes])}\n")
        users = {BASIC_AUTH[0]: _BASIC_AUTH_HASH} if basic_auth else {}
        (directory / "web.yml").write_text(
            "".join(f"basic_auth_users:\n  {user}: {hashed}\n" for user, hashed in users.items())
        )
        port = free_port()
        command = [
            prometheus,
            f"--config.file={directory / 'prometheus.yml'}",
            f"--web.config.file={directory / 'web.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--storage.tsdb.retention.time={retention}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
            *extra_flags,
        ]
        server = cls(directory, command, port)
        server.restart()
        return server

    def restart(self) -> None:
        """Start it again, on the same port with the same data, after ``stop`` or ``kill``."""
        process = ManagedProcess.start("prometheus", self._command, self.directory / "prometheus.log")
        self._process = process
        user, password = BASIC_AUTH
        process.wait_ready(lambda: answers(f"{self.url}/-/ready", basic_auth=(user, password)))

    def kill(self) -> None:
        """End it at once, as an outage does."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def stop(self) -> None:
        """End it in good order."""
        if self._process is not None:
            self._process.stop()
            self._process = None


def back_fill(promtool: str, data: str | Iterable[Series], directory: Path) -> None:
    """Turn ``data`` into blocks in ``directory/data``.

    promtool reads its input once per block, so blocks are let grow to many days.
    """
    text = directory / "history.om"
    with text.open("w") as out:
        written = out.write(data) if isinstance(data, str) else write_openmetrics(data, out)
    (directory / "data").mkdir(exist_ok=True)
    if written:
        command = [promtool, "tsdb", "create-blocks-from", "--quiet", "--max-block-duration=1000h", "openmetrics"]
        done = subprocess.run([*command, str(text), str(directory / "data")], capture_output=True, text=True)
        if done.returncode != 0:
            raise ValueError(f"promtool refuses the data: {(done.stderr or done.stdout).strip()[-500:]}")
    text.unlink()
