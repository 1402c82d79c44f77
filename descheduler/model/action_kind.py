"""What an action does to pods."""

from __future__ import annotations

from enum import StrEnum


class ActionKind(StrEnum):
    """What is done to pods: MOVE them to other nodes, or REMOVE them, wherever they are made again, if they are."""

    MOVE = "Move"
    REMOVE = "Remove"
