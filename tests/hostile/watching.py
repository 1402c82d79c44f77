"""Strange objects as they come one by one: events of a watch, with a client that reads a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from descheduler.kube.client.watch import Reflector, WatchTiming
from descheduler.kube.convert.decoding import Codec
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import KINDS
from descheduler.model.errors import Unreachable

TYPES = ("ADDED", "MODIFIED", "MODIFIED", "DELETED")


class _Lines:
    """A stream of lines."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._lines)

    def close(self) -> None:
        """Nothing to close."""


class _Script:
    """A server that lists some objects, sends some events, and is gone."""

    def __init__(self, listed: Sequence[bytes], events: Sequence[bytes]) -> None:
        self._listed, self._events = listed, list(events)
        self.lists = 0
        self.over = False

    def get(self, path: str, query: Mapping[str, str]) -> bytes:
        del path, query
        self.lists += 1
        return b'{"metadata":{"resourceVersion":"1"},"items":[' + b",".join(self._listed) + b"]}"

    def stream(self, path: str, query: Mapping[str, str], timeout: float) -> _Lines:
        del path, query, timeout
        if not self._events:
            self.over = True
            raise Unreachable("the script is over")
        events, self._events = self._events, []
        return _Lines(events)


@dataclass(frozen=True, slots=True)
class Followed:
    """What a reflector held at its first failure. `lists`: how often it listed; `played`: whether all events were sent,
    so that the end of the script was the failure."""

    objects: tuple[object, ...]
    problems: tuple[str, ...]
    lists: int
    played: bool
    error: str


def follow(key: str, listed: Sequence[bytes], events: Sequence[bytes]) -> Followed:
    """Let a reflector follow a kind through the events."""
    script = _Script(listed, events)
    codec = Codec(KINDS[key].at(KINDS[key].versions[0]), Interner())
    timing = WatchTiming(lambda: 1000.0, Random(7), wait=lambda _seconds: True)  # ends at the first failure
    reflector = Reflector(script, codec, timing)  # type: ignore[arg-type]
    reflector.run()
    objects, problems = reflector.contents()
    return Followed(objects, problems, script.lists, script.over, reflector.freshness().error)


def events_of(rng: Random, objects: Sequence[bytes]) -> list[bytes]:
    """Each object in an event of some type, and a bookmark now and then."""
    out = [b'{"type":"' + rng.choice(TYPES).encode() + b'","object":' + found + b"}" for found in objects]
    mark = b'{"type":"BOOKMARK","object":{"kind":"X","metadata":{"resourceVersion":"9","creationTimestamp":null}}}'
    for at in range(0, len(out), 5):
        out.insert(at, mark)
    return out
