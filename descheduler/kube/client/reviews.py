"""Who somebody is and what they or we may do, asked of the API server: reviews are posted but change and keep nothing.

`authorization.k8s.io/v1` SelfSubjectAccessReview and SubjectAccessReview: the answer of every authorizer, not of RBAC
alone. `authentication.k8s.io/v1` TokenReview: of every authenticator, for the API server's own audience.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from descheduler.kube.client.connection import KubeClient
from descheduler.kube.convert.wire import Slim
from descheduler.model.errors import BadAnswer
from descheduler.model.rights import Right

_ACCESS, _TOKENS = "authorization.k8s.io/v1", "authentication.k8s.io/v1"
_AT_ONCE = 8
_SECONDS = 10.0  # somebody waits for the answer


class _Status(Slim, frozen=True, gc=False):
    allowed: bool = False


class _Review(Slim, frozen=True, gc=False):
    status: _Status | None = None


class Caller(Slim, frozen=True):
    """Who a token belongs to: `UserInfo` of a TokenReview."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] | None = None
    extra: dict[str, tuple[str, ...]] | None = None


class _TokenStatus(Slim, frozen=True):
    authenticated: bool = False
    user: Caller | None = None


class _TokenReview(Slim, frozen=True):
    status: _TokenStatus | None = None


_Answer = TypeVar("_Answer", _Review, _TokenReview)


def lacking(client: KubeClient, rights: Iterable[Right], namespace: str = "", name: str = "") -> Sequence[Right]:
    """Those of the rights that we do not have: in every namespace, or in the one that is named, on one object or all.

    Raises: ClusterError and its kinds; Forbidden where we may not even ask.
    """
    asked = tuple(dict.fromkeys(rights))
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="kube-review") as pool:
        allowed = list(pool.map(lambda right: _allowed(client, right, namespace, name), asked))
    return [right for right, granted in zip(asked, allowed, strict=True) if not granted]


def _allowed(client: KubeClient, right: Right, namespace: str, name: str) -> bool:
    resource, _, sub = right.resource.partition("/")
    attributes = {
        "group": right.group,
        "resource": resource,
        "subresource": sub,
        "verb": right.verb,
        "namespace": namespace,
        "name": name,
    }
    spec = {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
    answer = _review(client, _ACCESS, "SelfSubjectAccessReview", spec, _Review)
    return answer.status is not None and answer.status.allowed


def bearer(client: KubeClient, token: str) -> Caller | None:
    """Who a bearer token belongs to; None where the API server does not accept it.

    Raises: ClusterError and its kinds; Forbidden where we may not ask.
    """
    status = _review(client, _TOKENS, "TokenReview", {"token": token}, _TokenReview).status
    return status.user if status is not None and status.authenticated else None


def may_get(client: KubeClient, caller: Caller, path: str) -> bool:
    """Whether somebody may `get` a path that is no resource (`nonResourceURLs`).

    Raises: ClusterError and its kinds; Forbidden where we may not ask.
    """
    spec = {
        "user": caller.username,
        "uid": caller.uid,
        "groups": caller.groups or (),
        "extra": caller.extra or {},
        "nonResourceAttributes": {"path": path, "verb": "get"},
    }
    answer = _review(client, _ACCESS, "SubjectAccessReview", spec, _Review)
    return answer.status is not None and answer.status.allowed


def _review(client: KubeClient, version: str, kind: str, spec: Mapping[str, object], answer: type[_Answer]) -> _Answer:
    path = f"/apis/{version}/{kind.lower()}s"
    body = msgspec.json.encode({"apiVersion": version, "kind": kind, "spec": spec})
    try:
        return msgspec.json.decode(client.request("POST", path, body, timeout=_SECONDS), type=answer)
    except msgspec.MsgspecError as error:
        raise BadAnswer(f"{path}: not a review: {error}") from error
