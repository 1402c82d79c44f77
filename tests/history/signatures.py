"""The other side of AWS Signature Version 4: what Amazon does to a request that it gets.

Written from https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, with nothing of
the library that signs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

from history.proxy import Request

_HEADER = re.compile(r"AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})")
_CLOCK_SKEW = 300.0


def refusal(request: Request, secrets: dict[str, str], region: str, service: str = "aps") -> str:
    """Why Amazon would refuse it; empty when it would not. `secrets`: by the id of the access key."""
    match = _HEADER.fullmatch(request.headers.get("authorization", ""))
    if match is None:
        return '{"message":"Missing Authentication Token"}'
    credential, names, signature = match.groups()
    key, day, *scope = credential.split("/")
    if scope != [region, service, "aws4_request"]:
        return '{"message":"Credential should be scoped to a valid region."}'
    moment = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs((datetime.now(UTC) - moment).total_seconds()) > _CLOCK_SKEW:
        return '{"message":"Signature expired"}'
    missing = {"host", *(name for name in request.headers if name.startswith("x-amz-"))} - set(names.split(";"))
    if key not in secrets or missing:
        return '{"message":"The security token included in the request is invalid."}'
    asked = _signature(_canonical(request, names), request.headers["x-amz-date"], day, scope, secrets[key])
    if not hmac.compare_digest(asked, signature):
        return '{"message":"The request signature we calculated does not match the signature you provided."}'
    return ""


def _canonical(request: Request, names: str) -> str:
    parts = urlsplit(request.target)
    query = sorted((quote(k, "-_.~"), quote(v, "-_.~")) for k, v in parse_qsl(parts.query, keep_blank_values=True))
    headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in names.split(";"))
    payload = hashlib.sha256(request.body).hexdigest()
    path = quote(parts.path, "/-_.~")
    return "\n".join((request.method, path, "&".join(f"{k}={v}" for k, v in query), headers, names, payload))


def _signature(canonical: str, moment: str, day: str, scope: list[str], secret: str) -> str:
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in (day, *scope):
        key = hmac.digest(key, part.encode(), "sha256")
    text = "\n".join(("AWS4-HMAC-SHA256", moment, "/".join((day, *scope)), hashed))
    return hmac.digest(key, text.encode(), "sha256").hex()
