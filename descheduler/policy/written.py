"""A policy as it was written, with what there is to say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from descheduler.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class WrittenPolicy:
    """A policy, and what is to be known by whoever wrote it for another program.

    `differs`: what behaves differently here, by the place in our policy. `general`: what does so whatever the policy
    says. `dropped`: what of the text has no place in our policy, and why. `warnings`: mistakes that were let pass, each
    as `file:line:column: path: message`. All are empty for a policy of our own format.
    """

    policy: Policy
    differs: Mapping[str, str] = field(default_factory=dict)
    general: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a plan under this policy says of it."""
        return (
            *(f"policy, {self._named(path)}: {text}" for path, text in self.differs.items()),
            *(f"policy, left out: {text}" for text in self.dropped),
        )

    def _named(self, path: str) -> str:
        """The path with the names of strategies in the place of their positions."""
        for i, use in enumerate(self.policy.strategies):
            position = f"strategies[{i}]"
            if path.startswith(position):
                return use.name + path.removeprefix(position)
        return path
