"""The certificate that pages are served with, read again when it is renewed.

Files are polled, as the policy is: a Secret mounted into a pod is swapped by renaming a symbolic link, which watches of
the files themselves do not see. Only a pair that fits is taken; connections that are open keep theirs.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable
from pathlib import Path

import structlog

from descheduler.model.errors import UsageError

log = structlog.get_logger(__name__)


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
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
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
