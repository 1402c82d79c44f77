"""The policy while the controller runs: read again when its content changes, a bad one rejected and said so.

The file is polled. A ConfigMap mounted into a pod is swapped by renaming a symbolic link two levels up, which watches
of the file itself do not see; reading a few kilobytes every some seconds costs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from descheduler.model.errors import PolicyError
from descheduler.policy import Policy, default_policy, load_policy


class PolicyWatch:
    """The policy in force. `policy` is None only while there has never been a valid one.

    `problem` says what is wrong with the file as it is now ("" when it is the policy in force); `loaded_at` is when
    the policy in force was read, in unix seconds.
    """

    def __init__(self, path: Path | None, wall: Callable[[], float]) -> None:
        self._path = path
        self._wall = wall
        self._seen = ""
        self.policy: Policy | None = None
        self.problem = ""
        self.loaded_at = 0.0

    def poll(self) -> bool:
        """Load the file if its content changed; True when another policy is in force, or there is a new problem."""
        if self._path is None:
            return self._take(default_policy()) if self.policy is None else False
        digest = self._digest(self._path)
        if digest == self._seen:
            return False
        self._seen = digest
        try:
            return self._take(load_policy(self._path))
        except PolicyError as error:
            self.problem = str(error)
            return True

    def changed(self) -> bool:
        """Whether `poll` would find something new."""
        return self._path is not None and self._digest(self._path) != self._seen

    def _take(self, policy: Policy) -> bool:
        self.policy, self.problem, self.loaded_at = policy, "", self._wall()
        return True

    @staticmethod
    def _digest(path: Path) -> str:
        try:
            return hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            return f"unreadable: {error.strerror}"
