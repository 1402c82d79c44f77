"""The program beside a real cluster and a real Prometheus, with the rights that the manifests give."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controlplane.cluster import ControlPlane
from controlplane.processes import free_port
from manifests.kustomize import render

COMMAND = (str(Path(sys.executable).with_name("descheduler")),)


class Pages:
    """What a running controller serves."""

    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, path: str) -> tuple[int, str]:
        """Status and text; 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def reports(self) -> list[str]:
        """Ids of the plans that are kept, newest first."""
        return re.findall(r'href="/reports/([^"./]+)"', self.get("/reports/")[1])

    def json(self, path: str) -> dict[str, Any]:
        """A document; empty while it is not there."""
        code, text = self.get(path)
        found: dict[str, Any] = json.loads(text) if code == 200 else {}
        return found

    def executed(self) -> tuple[dict[str, Any], ...]:
        """The first plan that was carried out, and what came of it; nothing while there is none."""
        for plan in reversed(self.reports()):
            if found := self.json(f"/reports/{plan}/execution.json"):
                return self.json(f"/reports/{plan}.json"), found
        return ()


class World:
    """The cluster, its history ("" where there is none), and the program beside them."""

    def __init__(self, plane: ControlPlane, prometheus: str, policy: Path, folder: Path) -> None:
        self.plane = plane
        self.client = plane.client
        self._prometheus = prometheus
        self.policy = policy
        self._folder = folder

    def install(self, overlay: str) -> Path:
        """Rights as the manifests give them; a kubeconfig of the service account."""
        for found in sorted(render(overlay), key=lambda o: o["kind"] != "Namespace"):
            if found["kind"] != "Deployment":
                self.client.apply(found)
        token = self.plane.service_account_token("descheduler", "descheduler")
        return self.plane.kubeconfig("installed", token=token)

    def command(self, *words: str, kubeconfig: Path) -> list[str]:
        history = ["--prometheus", self._prometheus] if self._prometheus else []
        return [*COMMAND, *words, "--kubeconfig", str(kubeconfig), *history, "--policy", str(self.policy)]

    def plan(self, kubeconfig: Path) -> dict[str, Any]:
        done = subprocess.run(
            self.command("plan", "-o", "json", kubeconfig=kubeconfig), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def record(self, kubeconfig: Path) -> Path:
        """The cluster as it is, and its history."""
        path = self._folder / "recording"
        done = subprocess.run(
            self.command("record", "-o", str(path), kubeconfig=kubeconfig), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return path

    def backtest(self, recording: Path, *more: str) -> dict[str, Any]:
        """What the policy would have made of the recorded time."""
        words = [*COMMAND, "backtest", str(recording), "--policy", str(self.policy), "-o", "json", *more]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @contextmanager
    def running(self, mode: str, kubeconfig: Path, *more: str) -> Iterator[Pages]:
        """The controller as a process with `more` arguments, stopped by SIGTERM; what it serves."""
        port = free_port()
        words = ("run", "--mode", mode, "--host", "127.0.0.1", "--port", str(port), "--namespace", "descheduler", *more)
        with (self._folder / "controller.log").open("wb") as log:
            process = subprocess.Popen(
                self.command(*words, kubeconfig=kubeconfig), stdout=log, stderr=log, env={**os.environ}
            )
            try:
                yield Pages(port)
            finally:
                process.send_signal(signal.SIGTERM)
                code = process.wait(30)
        assert code == 0, (self._folder / "controller.log").read_text()[-4000:]
