"""The stages from the first read to the plan, told to people who wait."""

from __future__ import annotations

from typing import Protocol


class Stages(Protocol):
    """Hears what is being done, and how much of it is."""

    def begin(self, what: str) -> None:
        """The next stage begins; the one before is over."""

    def note(self, detail: str) -> None:
        """What of the stage is being done."""

    def at(self, done: float, steps: float) -> None:
        """How many of its steps are done, each of which takes about as long as another."""


class Unwatched:
    """Nobody waits."""

    def begin(self, what: str) -> None:
        pass

    def note(self, detail: str) -> None:
        pass

    def at(self, done: float, steps: float) -> None:
        pass


UNWATCHED = Unwatched()
