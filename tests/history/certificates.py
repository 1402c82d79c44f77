"""A certificate authority of a test's own, by the openssl command."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    certificate: Path
    server: Pair
    client: Pair


def authority(folder: Path) -> Authority:
    """An authority with a certificate for 127.0.0.1 and one for a client."""
    if shutil.which("openssl") is None:
        pytest.skip("no `openssl` on PATH")
    own = Pair(folder / "ca.pem", folder / "ca.key")
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test authority"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", own.key, "-out", own.certificate),
    )
    return Authority(
        own.certificate,
        _signed(folder, own, "server", "subjectAltName=IP:127.0.0.1"),
        _signed(folder, own, "client", "extendedKeyUsage=clientAuth"),
    )


def _signed(folder: Path, own: Pair, name: str, extension: str) -> Pair:
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    extensions.write_text(extension)
    subject = ("-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
    _openssl("req", "-newkey", "rsa:2048", "-nodes", *subject)
    signer = ("-CA", own.certificate, "-CAkey", own.key, "-CAcreateserial", "-days", "1")
    _openssl("x509", "-req", "-in", request, *signer, "-extfile", extensions, "-out", pair.certificate)
    return pair


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
