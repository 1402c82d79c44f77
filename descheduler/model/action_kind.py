"""What an action does to pods."""

from __future__ import annotations

from enum import StrEnum


class ActionKind(StrEnum):
    """What is done to pods: MOVE them to other nodes, REMOVE them, wherever they are made again, if they are, or
    RELEASE what they hold, whole units of them, so that named pods start that wait for it; they wait in their turn."""

    MOVE = "Move"
    REMOVE = "Remove"
    RELEASE = "Release"
