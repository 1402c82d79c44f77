"""What the API server's refusals mean: HTTP status and `Status` body to the one tree of errors."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from descheduler.model.errors import (
    BadAnswer,
    ClusterError,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    Throttled,
    Unauthorized,
)
from descheduler.model.reasons import Reason
from descheduler.model.rights import MISSING, MissingRight, Right

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SHOWN = 300  # of a foreign answer, characters; more says no more and may carry what should not be shown
DISRUPTION_BUDGET = "DisruptionBudget"  # policy/v1 types.go DisruptionBudgetCause


class Cause(msgspec.Struct, frozen=True):
    """One of `details.causes`; `reason` is machine-readable, e.g. `DisruptionBudget`."""

    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct, frozen=True, rename="camel"):
    causes: tuple[Cause, ...] | None = None
    retry_after_seconds: float | None = None


class _ListMeta(msgspec.Struct, frozen=True):
    token: str = msgspec.field(default="", name="continue")


class ApiStatus(msgspec.Struct, frozen=True):
    """A `metav1.Status`: how the API server says no."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: _Details | None = None
    metadata: _ListMeta | None = None

    @property
    def causes(self) -> tuple[Cause, ...]:
        return (self.details.causes if self.details else None) or ()

    @property
    def retry_after(self) -> float | None:
        return self.details.retry_after_seconds if self.details else None

    @property
    def over_budget(self) -> bool:
        """An eviction that a PodDisruptionBudget refuses."""
        return any(cause.reason == DISRUPTION_BUDGET for cause in self.causes)


def parse_status(body: bytes) -> ApiStatus:
    """The `Status` in an answer; one with only a message when it is something else (a proxy's page, say)."""
    try:
        return msgspec.json.decode(body, type=ApiStatus)
    except msgspec.MsgspecError:
        return ApiStatus(message=body[:_SHOWN].decode(errors="replace").strip())


def rule(method: str, path: str, query: Mapping[str, str] | None = None) -> tuple[str, str]:
    """The RBAC verb and resource (with its API group) that a request needs.

    `GET /apis/policy/v1/poddisruptionbudgets` -> ("list", "poddisruptionbudgets.policy"),
    `POST /api/v1/namespaces/a/pods/b/eviction` -> ("create", "pods/eviction"); a path that is no resource stays whole.
    """
    parts = [part for part in path.split("/") if part]
    group, rest = "", parts[2:]
    if parts[:1] == ["apis"]:
        group, rest = (parts[1] if len(parts) > 1 else ""), parts[3:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    if not rest:
        return method.lower(), path
    plural, name, sub = (*rest[:3], "", "", "")[:3]
    resource = f"{plural}/{sub}" if sub else plural
    verb = _VERBS.get(method.upper()) or _reading(bool(name), query or {})
    return verb, f"{resource}.{group}" if group else resource


def _reading(named: bool, query: Mapping[str, str]) -> str:
    if named:
        return "get"
    return "watch" if query.get("watch") in ("1", "true") else "list"


def error_of(
    status: int, body: bytes, method: str, path: str, query: Mapping[str, str] | None = None, retry_after: str = ""
) -> ClusterError:
    """The error for an answer that is not a success; it carries `status` and `body`.

    A 429 caused by a disruption budget is a plain ClusterError; any other 429 is Throttled.
    """
    answer = parse_status(body)
    verb, resource = rule(method, path, query)
    what = f"{verb} {resource}: {answer.message or answer.reason or 'no explanation'} (HTTP {status})"
    error = _typed(status, answer, verb, resource, what, retry_after)
    error.status, error.body = status, body
    return error


def missing_right(error: ClusterError, text: str = "") -> MissingRight | None:
    """The refusal that a missing right amounts to; None for any other error."""
    if not isinstance(error, Forbidden) or not error.by_rule:
        return None
    right = Right.of(error.verb, error.resource)
    return MissingRight(Reason.API_REFUSED, "permissions", text or str(error), right)


def _typed(status: int, answer: ApiStatus, verb: str, resource: str, what: str, retry_after: str) -> ClusterError:
    match status:
        case 401:
            return Unauthorized(f"the API server does not accept our credentials: {what}")
        case 403 if " cannot impersonate" in answer.message:  # no right to what was asked for would help
            return Unauthorized(f"we may not act as another user (--as): {answer.message}")
        case 403:
            # What authorization says (apiserver pkg/endpoints/handlers/responsewriters/errors.go), admission not.
            text = f"{MISSING}{verb} {resource} ({answer.message or 'forbidden'})"
            return Forbidden(verb, resource, text, by_rule=f" cannot {verb} resource " in answer.message)
        case 404:
            return NotFound(what)
        case 409:
            return Conflict(what)
        case 410:
            return Gone(what, answer.metadata.token if answer.metadata else "")
        case 429 if not answer.over_budget:
            return Throttled(what, _seconds(retry_after, answer))
        case _ if status < 400:
            return BadAnswer(f"unexpected answer to {what}")
        case _:
            return ClusterError(what)


def _seconds(header: str, answer: ApiStatus) -> float:
    try:
        return max(0.0, float(header))
    except ValueError:
        return 1.0 if answer.retry_after is None else max(0.0, answer.retry_after)
