"""What the program asked of the API server, as the server's own audit log has it.

Only requests of service accounts in the namespace `descheduler` are written: nobody else's interest a test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_POLICY: Final = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    userGroups: ["system:serviceaccounts:descheduler"]
  - level: None
"""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as RBAC sees it: `resource` with its subresource, `name` empty where the request names no object."""

    group: str
    resource: str
    verb: str
    name: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''} {self.name}".rstrip()


class AuditLog:
    """The log of one API server, in a folder of its own test run."""

    def __init__(self, folder: Path) -> None:
        self._policy = folder / "audit-policy.yaml"
        self._log = folder / "audit.log"

    def flags(self) -> tuple[str, ...]:
        """What makes the API server write it, at once."""
        self._policy.write_text(_POLICY)
        return (f"--audit-policy-file={self._policy}", f"--audit-log-path={self._log}", "--audit-log-mode=blocking")

    def now(self) -> int:
        """How long it is by now: where `requests` can go on."""
        return self._log.stat().st_size if self._log.exists() else 0

    def requests(self, since: int) -> tuple[set[Request], set[Request]]:
        """(all requests, those that were refused for want of a right) from `since` on."""
        asked: set[Request] = set()
        refused: set[Request] = set()
        for event in self._events(since):
            request = _request(event)
            asked.add(request)
            if event.get("annotations", {}).get("authorization.k8s.io/decision") != "allow":
                refused.add(request)
        return asked, refused

    def _events(self, since: int) -> Iterator[dict[str, Any]]:
        if not self._log.exists():
            return
        with self._log.open("rb") as log:
            log.seek(since)
            for line in log:
                event: dict[str, Any] = json.loads(line)
                if "objectRef" in event:  # discovery has none
                    yield event


def _request(event: dict[str, Any]) -> Request:
    at = event["objectRef"]
    subresource = f"/{at['subresource']}" if at.get("subresource") else ""
    # What is created is asked for without a name, as far as RBAC knows; the log has the name all the same.
    name = "" if event["verb"] == "create" else at.get("name", "")
    return Request(at.get("apiGroup", ""), at["resource"] + subresource, event["verb"], name)
