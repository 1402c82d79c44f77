"""Objects of the server as they are, of any kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from descheduler.apiwrite.transport import Transport
from descheduler.model.errors import BadAnswer, NotFound

Object: TypeAlias = Mapping[str, Any]


def got(transport: Transport, path: str) -> Object | None:
    """The object there; None where there is none. Raises ClusterError's kinds."""
    try:
        return decoded(transport.request("GET", path))
    except NotFound:
        return None


def listed(transport: Transport, folder: str, selector: str = "") -> Sequence[Object]:
    """Those of a collection (its path) that a label selector finds; none where it is not served.

    Raises ClusterError's kinds.
    """
    try:
        body = transport.request("GET", folder, query={"labelSelector": selector} if selector else {})
    except NotFound:
        return ()
    return decoded(body).get("items") or ()


def decoded(body: bytes) -> Object:
    """The object of an answer. Raises BadAnswer."""
    try:
        found = msgspec.json.decode(body)
    except msgspec.MsgspecError as error:
        raise BadAnswer(f"an answer that is no object: {error}") from error
    if not isinstance(found, dict):
        raise BadAnswer("an answer that is no object")
    return found
