"""The base of every section of a policy."""

from __future__ import annotations

from descheduler.contract.arguments import Written


class Section(Written):
    """A part of a policy; the docstring under each field is its only documentation."""
