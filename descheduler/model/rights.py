"""Rights: what somebody must be allowed to do in a cluster, and the refusal that follows from lacking one."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.model.reasons import Blocked


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource of an API group (empty: the core group), as a rule of RBAC names them."""

    group: str
    resource: str
    verb: str

    @staticmethod
    def of(verb: str, resource: str) -> Right:
        """`resource` with its group, as errors name it: `reservations.scheduling.koordinator.sh`."""
        plural, _, group = resource.partition(".")
        return Right(group, plural, verb)

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"


MISSING = "missing permission: "
"""How the text of an error begins that names a missing right, before the server's own words in brackets."""


def right_in(error: str) -> str:
    """The right that the text of an error says is missing; empty where it says something else."""
    return error.removeprefix(MISSING).partition(" (")[0] if error.startswith(MISSING) else ""


@dataclass(frozen=True, slots=True)
class MissingRight(Blocked):
    """A refusal that no other pod would be spared: we may not do it at all."""

    right: Right = Right("", "", "")
