"""A fence around one object: what goes wrong while it is read or judged becomes its problem, and goes no further.

It holds errors of any kind, those of our own code included. What it cannot hold is bounded before (`bounds`): memory
that runs out, and time.
"""

from __future__ import annotations

from collections.abc import Callable
from traceback import extract_tb
from typing import TypeVar

import msgspec

from descheduler.model.bounds import WORDS

T = TypeVar("T")


class Unreadable(ValueError):
    """A field of one object cannot be used; `field` is its path, `why` says what is wrong.

    It goes no further than the fence of its object.
    """

    def __init__(self, field: str, why: str) -> None:
        self.field = field
        self.why = why
        super().__init__(f"{field}: {why}" if field else why)


def fenced(read: Callable[[], T], otherwise: Callable[[str], T]) -> T:
    """What `read` gives; where it raises, what `otherwise` makes of the reason in words."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001  whatever it is, it is about this object alone
        return otherwise(in_words(error))


class Fence:
    """The fences of one stage. `problems`: a line for each object that one was hit for, which begins with its name."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def around(self, name: str, read: Callable[[], T], otherwise: Callable[[str], T]) -> T:
        """What `read` gives; where it raises, a problem, and what `otherwise` makes of the reason in words."""

        def told(why: str) -> T:
            self.problems.append(f"{name}: {why}")
            return otherwise(why)

        return fenced(read, told)


def in_words(error: Exception) -> str:
    """What went wrong, short and on one line; of an error that nobody foresaw, which and where."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    text = shortened(str(error))
    if isinstance(error, Unreadable | msgspec.MsgspecError):
        return text
    frames = extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{where}"


def shortened(text: str, most: int = WORDS) -> str:
    """A text as it is quoted: on one line, and not longer than people read."""
    line = "".join(c if c.isprintable() else " " for c in text[:most])
    return line if len(text) <= most else f"{line}…"
