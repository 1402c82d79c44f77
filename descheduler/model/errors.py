"""The one tree of errors.

DeschedulerError
├── PolicyError            what the user wrote is wrong (every problem, with file:line:column)
├── UsageError             the command line asks for something that cannot be done
├── RecordingError         a recording is truncated, foreign or of an unknown version
├── DocumentError          a plan document cannot be read or written
├── ClusterError           the API server
│   ├── Unreachable
│   ├── Unauthorized       credentials missing or refused (401)
│   ├── Forbidden          a permission is missing (403): names verb and resource
│   ├── Conflict           optimistic concurrency or a precondition failed (409)
│   ├── Gone               a resource version or continue token expired (410)
│   ├── NotFound           (404)
│   ├── Throttled          API priority and fairness, not a disruption budget (429)
│   └── BadAnswer          an answer that is not what the API promises
├── HistoryError           Prometheus, or history that cannot be used
│   ├── HistoryUnreachable
│   ├── HistoryRefused     authentication, authorisation, or a query that the server rejects
│   └── HistoryPartial     the server said, or we saw, that data is missing
├── StrategyError          a plug-in raised or returned something that breaks the contract
├── ExecutorError          an executor is not installed, cannot be loaded, or is none
└── LeadershipLost         a write was stopped because another replica leads

Foreign exceptions are wrapped in one of these at the edge where they arise (`raise X(...) from e`), so that
callers need to know no library's exceptions.
"""

from __future__ import annotations

from descheduler.model.secrets import hidden


class DeschedulerError(Exception):
    """Anything that this program reports as its own; the message is for people, and holds no secret."""

    def __str__(self) -> str:
        return hidden(super().__str__())


class PolicyError(DeschedulerError):
    """A policy cannot be used; `problems` holds one line for each thing that is wrong."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = tuple(map(hidden, problems))
        super().__init__("\n".join(problems))


class UsageError(DeschedulerError):
    """The command line asks for something that cannot be done."""


class RecordingError(DeschedulerError):
    """A recording cannot be read."""


class DocumentError(DeschedulerError):
    """A plan document cannot be read or written."""


class ClusterError(DeschedulerError):
    """The API server could not be used.

    `status` (HTTP) and `body` hold its answer where there was one: an eviction that a disruption budget refuses is a
    plain ClusterError with status 429, whose body (a `Status` object) names the budget.
    """

    status: int = 0
    body: bytes = b""

    @property
    def refused(self) -> bool:
        """Whether the server refused for certain; otherwise what was asked for may yet take effect."""
        return 400 <= self.status < 500


class Unreachable(ClusterError):
    """No answer from the API server."""


class Unauthorized(ClusterError):
    """The API server does not know who we are."""


class Forbidden(ClusterError):
    """A permission is missing, or admission refused (`by_rule` False), which may let another object pass.

    `verb` and `resource` (with its API group, e.g. `poddisruptionbudgets.policy`) name the missing rule.
    """

    def __init__(self, verb: str, resource: str, message: str, *, by_rule: bool = True) -> None:
        self.verb = verb
        self.resource = resource
        self.by_rule = by_rule
        super().__init__(message)

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return f"Grant {self.verb or 'get'} on {self.resource or 'it'}, as the ClusterRole in manifests/base does."


class Conflict(ClusterError):
    """The object changed under us, or a precondition (uid, resourceVersion) did not hold."""


class Gone(ClusterError):
    """The resource version or continue token is too old; `continue_token` may allow an inconsistent continuation."""

    def __init__(self, message: str, continue_token: str = "") -> None:
        self.continue_token = continue_token
        super().__init__(message)


class NotFound(ClusterError):
    """No such object, or no such API."""


class Throttled(ClusterError):
    """The API server sheds load; `retry_after` in seconds."""

    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class BadAnswer(ClusterError):
    """An answer that cannot be decoded or does not match the API."""


class HistoryError(DeschedulerError):
    """The history of a signal cannot be read or used."""


class HistoryUnreachable(HistoryError):
    """No answer from the history server."""


class HistoryRefused(HistoryError):
    """Credentials or the query were refused."""


class HistoryPartial(HistoryError):
    """The answer is known to lack data: a warning, a failed chunk, a missing store."""


class StrategyError(DeschedulerError):
    """A strategy raised, or broke the contract; `strategy` names it."""

    def __init__(self, strategy: str, message: str) -> None:
        self.strategy = strategy
        super().__init__(f"strategy {strategy}: {message}")


class ExecutorError(DeschedulerError):
    """An executor cannot be used; `executor` names it."""

    def __init__(self, executor: str, message: str) -> None:
        self.executor = executor
        super().__init__(f"executor {executor}: {message}")


class LeadershipLost(DeschedulerError):
    """Another replica leads; nothing was written."""
