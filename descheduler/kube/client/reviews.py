"""What we may do, asked of the API server: reviews of access, which are posted but change and keep nothing.

`authorization.k8s.io/v1` SelfSubjectAccessReview: the answer of every authorizer, not of RBAC alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from descheduler.kube.client.connection import KubeClient
from descheduler.kube.convert.wire import Slim
from descheduler.model.errors import BadAnswer
from descheduler.model.rights import Right

_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_AT_ONCE = 8


class _Status(Slim, frozen=True, gc=False):
    allowed: bool = False


class _Review(Slim, frozen=True, gc=False):
    status: _Status | None = None


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
    body = msgspec.json.encode(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
    )
    try:
        answer = msgspec.json.decode(client.request("POST", _PATH, body), type=_Review)
    except msgspec.MsgspecError as error:
        raise BadAnswer(f"{_PATH}: not a review of access: {error}") from error
    return answer.status is not None and answer.status.allowed
