"""Who may speak to the test cluster, and the files that say so."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Identity:
    """A user of the token file: what its bearer is called and which groups it is in."""

    user: str
    token: str
    groups: tuple[str, ...] = ()


#: ``admin`` may do everything; ``descheduler`` and ``nobody`` may do nothing until a role is bound to them.
USERS: Final = {
    "admin": ("system:masters",),
    "descheduler": ("descheduler-users",),
    "nobody": (),
    "system:kube-scheduler": (),
    "system:kube-controller-manager": ("system:masters",),  # its controllers share one client here
}


def make_identities() -> dict[str, Identity]:
    """An identity with a fresh token for every one of ``USERS``, by user name."""
    return {user: Identity(user, secrets.token_hex(16), groups) for user, groups in USERS.items()}


def write_token_file(identities: dict[str, Identity], path: Path) -> None:
    """Write the file that ``kube-apiserver --token-auth-file`` reads: token,user,uid,"group,group"."""
    lines = [f'{i.token},{i.user},{i.user},"{",".join(i.groups)}"' for i in identities.values()]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)


def write_kubeconfig(path: Path, *, server: str, ca_file: Path, user: str, token: str) -> Path:
    """Write a kubeconfig with one context, named like the user. JSON is YAML, so every reader takes it."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": str(ca_file)}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": user, "context": {"cluster": "test", "user": user, "namespace": "default"}}],
        "current-context": user,
    }
    path.write_text(json.dumps(config, indent=1))
    path.chmod(0o600)
    return path


def write_signing_key(path: Path) -> None:
    """Write a fresh P-256 private key (SEC 1, RFC 5915) that the API server signs service-account tokens with.

    An EC key of this form is a random number with fixed bytes around it, so no cryptography package and no ``openssl``
    is needed; the API server works out the public half by itself.
    """
    scalar = secrets.randbelow(_P256_ORDER - 1) + 1
    version = b"\x02\x01\x01"
    private = b"\x04\x20" + scalar.to_bytes(32, "big")
    curve = b"\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"  # [0] OBJECT IDENTIFIER prime256v1
    body = version + private + curve
    text = base64.encodebytes(bytes([0x30, len(body)]) + body).decode()
    path.write_text(f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n")
    path.chmod(0o600)


_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
