"""The error of a real component that this machine does not have."""

from __future__ import annotations


class MissingComponentError(Exception):
    """A real component cannot be had on this machine.

    Attributes:
        component: what is missing, by name ("control plane", "prometheus", "browser", "postgresql").
        reason: why, and what would bring it, in one line.
    """

    def __init__(self, component: str, reason: str) -> None:
        super().__init__(f"{component}: {reason}")
        self.component = component
        self.reason = reason
