"""The policy while the controller runs: read again when its content changes, a bad one rejected and said so.

The file is polled. A ConfigMap mounted into a pod is swapped by renaming a symbolic link two levels up, which watches
of the file itself do not see; reading a few kilobytes every some seconds costs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import structlog

from descheduler.model.errors import PolicyError
from descheduler.policy import Policy, WrittenPolicy, default_policy, policy_text, written_policy

log = structlog.get_logger(__name__)


class PolicyWatch:
    """The policy in force. `policy` is None only while there has never been a valid one.

    `problem` says what is wrong with the file as it is now, be it that it cannot be read any more ("" when it is the
    policy in force); `loaded_at` is when the policy in force was read, in unix seconds; `remarks` are what there is to
    say of it. `changed` puts what the command line says in the place of what the policy says; `lenient` as of
    `written_policy`.
    """

    def __init__(
        self,
        path: Path | None,
        wall: Callable[[], float],
        changed: Callable[[Policy], Policy] = lambda policy: policy,
        *,
        lenient: bool = False,
    ) -> None:
        self._path = path
        self._wall = wall
        self._changed = changed
        self._lenient = lenient
        self._seen = ""
        self.policy: Policy | None = None
        self.problem = ""
        self.loaded_at = 0.0
        self.remarks: tuple[str, ...] = ()

    def poll(self) -> bool:
        """Load the file if it changed; True when another policy is in force, or there is a new problem."""
        if self._path is None:
            return self._take(WrittenPolicy(default_policy())) if self.policy is None else False
        text, problem = self._look(self._path)
        seen = self._digest(text, problem)
        if seen == self._seen:
            return False
        self._seen = seen
        if problem:
            self.problem = problem
            return True
        try:
            return self._take(written_policy(text, str(self._path), lenient=self._lenient))
        except PolicyError as error:
            self.problem = str(error)
        except Exception as error:  # it is told for as long as the file is as it is, not in one cycle alone
            log.exception("a policy cannot be loaded")
            self.problem = f"{self._path}: cannot be loaded: {type(error).__name__}: {error}"
        return True

    def changed(self) -> bool:
        """Whether `poll` would find something new."""
        return self._path is not None and self._digest(*self._look(self._path)) != self._seen

    def _take(self, written: WrittenPolicy) -> bool:
        for warning in written.warnings:
            log.warning("the policy has a mistake", problem=warning)
        self.policy, self.problem, self.loaded_at = self._changed(written.policy), "", self._wall()
        self.remarks = written.remarks
        return True

    @staticmethod
    def _look(path: Path) -> tuple[str, str]:
        """Its text, or why it cannot be read."""
        try:
            return policy_text(path), ""
        except PolicyError as error:
            return "", str(error)

    @staticmethod
    def _digest(text: str, problem: str) -> str:
        return problem or hashlib.sha256(text.encode()).hexdigest()
