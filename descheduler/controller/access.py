"""Who may read the pages: whoever the API server says may `get` their path.

As with the components of Kubernetes that delegate this: a TokenReview says who a bearer token belongs to, a
SubjectAccessReview whether RBAC gives them `get` on the path (`nonResourceURLs`). Whatever cannot be asked is refused.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum

import structlog

from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.reviews import bearer, may_get
from descheduler.model.errors import DeschedulerError

log = structlog.get_logger(__name__)

_REMEMBERED = 1000
_SECONDS = 10.0  # so long an answer holds: a page is a request or two, and a right that is taken away ends soon


class Verdict(Enum):
    """HTTP status, and what is said."""

    ALLOWED = 200, ""
    UNKNOWN = 401, "a bearer token that the API server accepts is needed"
    FORBIDDEN = 403, "missing permission: get on this path (nonResourceURLs)"
    UNSURE = 503, "whether you may read this cannot be asked now"

    @property
    def code(self) -> int:
        return self.value[0]

    @property
    def text(self) -> str:
        return self.value[1]


class Gate:
    """Asks the API server, and remembers for some seconds; safe to share between threads.

    `steady` gives seconds that only go forward; `told` hears at each change why it cannot be asked, "" when it can.
    """

    def __init__(self, client: KubeClient, steady: Callable[[], float], told: Callable[[str], None]) -> None:
        self._client, self._steady, self._told = client, steady, told
        self._problem = ""
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[bytes, str], tuple[float, Verdict]] = OrderedDict()

    def ask(self, authorization: str, path: str) -> Verdict:
        """Whether the bearer of that header may read a path."""
        scheme, _, token = authorization.strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return Verdict.UNKNOWN
        key = hashlib.sha256(token.encode(errors="replace")).digest(), path
        with self._lock:
            until, verdict = self._known.get(key, (0.0, Verdict.UNSURE))
        if verdict is not Verdict.UNSURE and self._steady() < until:
            return verdict
        verdict = self._asked(token, path)
        with self._lock:
            self._known[key] = self._steady() + _SECONDS, verdict
            self._known.move_to_end(key)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return verdict

    def _asked(self, token: str, path: str) -> Verdict:
        try:
            caller = bearer(self._client, token)
            verdict = (
                Verdict.UNKNOWN
                if caller is None
                else Verdict.ALLOWED
                if may_get(self._client, caller, path)
                else Verdict.FORBIDDEN
            )
        except DeschedulerError as error:
            self._tell(f"nobody can be let in: {error}")
            return Verdict.UNSURE
        self._tell("")
        return verdict

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            if problem:
                log.warning("who reads a page cannot be asked", problem=problem)
            self._told(problem)
