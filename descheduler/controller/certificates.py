"""The certificate that pages are served with, read again when it is renewed.

Files are polled, as the policy is: a Secret mounted into a pod is swapped by renaming a symbolic link, which watches of
the files themselves do not see. Only a pair that fits is taken; connections that are open keep theirs.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog

from descheduler.model.errors import UsageError

log = structlog.get_logger(__name__)


class Serving(Protocol):
    """What pages are served with: `context` for new connections, after `poll`."""

    context: ssl.SSLContext

    def poll(self) -> None:
        """Look whether there is something newer."""
        ...


class SelfSigned:
    """A certificate of our own for as long as the process lives: clients that check none, as the kubelet's probes."""

    def __init__(self) -> None:
        """Raises UsageError where none can be made."""
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        made = ("openssl", "req", "-x509", *curve, "-days", "3650", "-subj", "/CN=descheduler", "-keyout", "-")
        try:
            pair = subprocess.run((*made, "-out", "-"), capture_output=True, check=True, timeout=60).stdout
            self.context = _context()
            # In memory, for there may be no disk that can be written.
            with os.fdopen(os.memfd_create("certificate"), "wb") as file:
                file.write(pair)
                file.flush()
                self.context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        except (OSError, ValueError, AttributeError, subprocess.SubprocessError) as error:
            raise UsageError(f"no certificate can be made: {error}; give --tls-cert-file") from error

    def poll(self) -> None:
        """It is never renewed."""


class Certificates:
    """`context` serves with the newest pair that could be loaded.

    `told` hears, at every change, what is wrong with the files as they are now: "" when they are the ones in use.
    """

    def __init__(self, certificate: Path, key: Path, told: Callable[[str], None]) -> None:
        """Raises UsageError where the files are not a certificate and its key."""
        self._certificate, self._key, self._told = certificate, key, told
        self._seen = self._digest()
        try:
            self.context = self._loaded()
        except (OSError, ValueError) as error:
            raise UsageError(self._text(error)) from error
        told("")

    def poll(self) -> None:
        """Take the files if they have changed and fit."""
        digest = self._digest()
        if digest == self._seen:
            return
        self._seen = digest  # before they are read: what changes meanwhile is seen next time
        try:
            self.context = self._loaded()
        except (OSError, ValueError) as error:
            log.error("certificate rejected, the former stays in use", problem=self._text(error))
            self._told(f"the files are not usable, the former certificate stays in use: {self._text(error)}")
            return
        log.info("certificate in use", file=str(self._certificate))
        self._told("")

    def _loaded(self) -> ssl.SSLContext:
        context = _context()
        # A key that is encrypted would ask at the terminal for its password.
        context.load_cert_chain(self._certificate, self._key, password=lambda: "")
        return context

    def _text(self, error: Exception) -> str:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        return f"{self._certificate} and {self._key}: {why}"

    def _digest(self) -> str:
        try:
            return hashlib.sha256(self._certificate.read_bytes() + b"\0" + self._key.read_bytes()).hexdigest()
        except OSError as error:
            return f"unreadable: {error}"


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
