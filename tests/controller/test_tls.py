"""Pages over TLS with certificates that are renewed under the running server, by real handshakes."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from controller.volumes import Mounted
from descheduler.controller.certificates import Certificates
from descheduler.controller.listener import WebServer
from descheduler.controller.metrics import Metrics
from descheduler.controller.reports import Reports
from descheduler.controller.status import Status
from descheduler.controller.web import create_app
from descheduler.model.errors import UsageError
from history.certificates import Authority, authority


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> list[Authority]:
    return [authority(tmp_path_factory.mktemp(name)) for name in ("first", "second")]


class Site:
    def __init__(self, folder: Path, first: Authority) -> None:
        self.told: list[str] = []
        self.volume = Mounted(folder)
        self.put(first)
        self.certificates = Certificates(folder / "tls.crt", folder / "tls.key", self.told.append)
        app = create_app(Status(time.monotonic), Reports(), Metrics(), lambda _: "")
        self.server = WebServer(app, "127.0.0.1", 0, self.certificates, renew_seconds=0.05)

    def put(self, made: Authority, key: Path | None = None) -> None:
        """As cert-manager renews a Secret."""
        self.volume.put(
            {"tls.crt": made.server.certificate.read_text(), "tls.key": (key or made.server.key).read_text()}
        )

    def trusted_by(self, made: Authority) -> bool:
        context = ssl.create_default_context(cafile=made.certificate)
        try:
            with urllib.request.urlopen(
                f"https://127.0.0.1:{self.server.port}/healthz", timeout=5, context=context
            ) as a:
                assert a.headers["Strict-Transport-Security"] == "max-age=31536000"
                return bool(a.status == 200)
        except urllib.error.URLError as refused:
            if isinstance(refused.reason, ssl.SSLCertVerificationError):
                return False
            raise


@pytest.fixture
def site(tmp_path: Path, authorities: list[Authority]) -> Iterator[Site]:
    site = Site(tmp_path, authorities[0])
    site.server.start()
    yield site
    site.server.stop()


def eventually(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_renewed_certificate_is_served_from_then_on(site: Site, authorities: list[Authority]) -> None:
    first, second = authorities
    assert site.trusted_by(first)
    assert not site.trusted_by(second)
    site.put(second)
    eventually(lambda: site.trusted_by(second))
    assert site.told == ["", ""]


@pytest.mark.parametrize("bad", ["a key of another", "no certificate", "nothing", "no files"])
def test_a_bad_pair_keeps_the_former_in_use_and_is_told(site: Site, authorities: list[Authority], bad: str) -> None:
    first, second = authorities
    match bad:
        case "a key of another":
            site.put(second, first.server.key)
        case "no files":
            site.volume.put({})
        case "nothing":
            site.volume.put({"tls.crt": "", "tls.key": ""})
        case _:
            site.volume.put({"tls.crt": "none", "tls.key": second.server.key.read_text()})
    eventually(lambda: len(site.told) > 1)
    assert "the former certificate stays in use" in site.told[-1]
    assert "tls.key" in site.told[-1]
    assert site.trusted_by(first)
    site.put(second)
    eventually(lambda: site.trusted_by(second))
    assert site.told[-1] == ""


def test_old_versions_of_tls_and_plain_requests_are_refused(site: Site, authorities: list[Authority]) -> None:
    old = ssl.create_default_context(cafile=authorities[0].certificate)
    old.set_ciphers("ALL:@SECLEVEL=0")  # else it is the client that refuses
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", site.server.port), timeout=5) as plain,
        pytest.raises(OSError, match="alert protocol version"),
    ):
        old.wrap_socket(plain, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", site.server.port), timeout=5) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with suppress(ConnectionResetError):
            assert b"ok" not in plain.recv(1000)
    assert site.trusted_by(authorities[0])


def test_a_pair_that_is_none_at_the_start_is_one_clear_error(tmp_path: Path, authorities: list[Authority]) -> None:
    certificate, key = authorities[0].server.certificate, authorities[1].server.key
    with pytest.raises(UsageError, match=rf"{certificate} and {key}: KEY_VALUES_MISMATCH"):
        Certificates(certificate, key, print)
    with pytest.raises(UsageError, match="No such file"):
        Certificates(tmp_path / "none.crt", key, print)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(tmp_path: Path, authorities: list[Authority]) -> None:
    own, locked = authorities[0].server, tmp_path / "locked.key"
    openssl = shutil.which("openssl")
    assert openssl is not None
    words = [openssl, "pkey", "-in", own.key, "-aes256", "-passout", "pass:secret", "-out", locked]
    subprocess.run(words, check=True, capture_output=True)
    with pytest.raises(UsageError, match=r"locked\.key"):
        Certificates(own.certificate, locked, print)
