"""Reading, changing and writing back an object that others write too."""

from __future__ import annotations

from collections.abc import Callable

from descheduler.model.errors import Conflict


def until_written(change: Callable[[], None], attempts: int = 5) -> None:
    """Do the change, which reads before it writes; after a conflict again. Raises what it raises, at last Conflict."""
    for left in reversed(range(attempts)):
        try:
            change()
        except Conflict:
            if not left:
                raise
        else:
            return
