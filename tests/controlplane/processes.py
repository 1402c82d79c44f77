"""Processes that a test starts: one group each, output in a log file, never left behind."""

from __future__ import annotations

import atexit
import base64
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self


class ComponentDiedError(RuntimeError):
    """A real component stopped or did not become ready; the message has the end of its log and where the rest is."""


def free_port() -> int:
    """A loopback TCP port that nothing listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ManagedProcess:
    """A running program in a process group of its own, ended when the test process ends, however that comes about."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process
        atexit.register(self.kill)

    @classmethod
    def start(cls, name: str, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> Self:
        """Start ``command`` with its output appended to ``log``."""
        argv = [str(part) for part in command]
        setpriv = shutil.which("setpriv")
        if setpriv is not None:  # so that the kernel ends it even if the test process is killed outright
            argv = [setpriv, "--pdeathsig", "KILL", *argv]
        with log.open("ab") as output:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **(env or {})},
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def stop(self, grace_seconds: float = 5.0) -> None:
        """Ask it to end, and end it by force after the grace."""
        if self.running:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_seconds)
        self.kill()

    def kill(self) -> None:
        """End it, and whatever it started, at once."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        atexit.unregister(self.kill)

    def wait_ready(self, ready: Callable[[], bool], timeout: float = 60.0, every: float = 0.05) -> None:
        """Poll ``ready`` until it is true.

        Raises:
            ComponentDiedError: the process ended, or the time is over.
        """
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.running:
                raise ComponentDiedError(f"{self.name} ended with code {self._process.returncode}\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise ComponentDiedError(f"{self.name} was not ready after {timeout:.0f} s\n{self.last_words()}")
            time.sleep(every)

    def last_words(self, lines: int = 15) -> str:
        """The end of its log, and where the whole of it is."""
        text = self.log.read_text(errors="replace").splitlines()[-lines:] if self.log.exists() else []
        return "\n".join([*text, f"(whole log: {self.log})"])

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is not None:
            return
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def answers(url: str, *, token: str = "", basic_auth: tuple[str, str] | None = None, timeout: float = 1.0) -> bool:
    """Whether ``url`` answers 200 within ``timeout``; the certificate is not looked at (readiness probes only)."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if basic_auth is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic_auth).encode()).decode()
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=timeout) as response:
            return int(response.status) == 200
    except urllib.error.HTTPError as refused:
        refused.close()
        return False
    except OSError:
        return False
