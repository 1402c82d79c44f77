"""Intents: what is about to be done, written down before the first eviction of a wave.

A unit of several pods needs it, so that no crash leaves it half moved; a single pod gets one too, so that no crash
makes us forget that we moved it. They live in one ConfigMap, one entry per action, replaced only at the version that
was read. An entry is removed when its unit is done. So whatever is found there at a start was interrupted, and the
cluster itself says how far it came: a pod whose uid is still there was not evicted. No progress is written, so no
write of ours can contradict it.

A ConfigMap holds 1 MiB. What is open stays, whatever comes; what does not fit beside it is not announced, and so not
begun. Long intents are kept compressed, so that a gang of thousands fits.
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from descheduler.apiwrite.conflicts import until_written
from descheduler.apiwrite.wire import ConfigMap, Meta
from descheduler.apiwrite.writer import ClusterWriter, read_config_map
from descheduler.model.errors import BadAnswer
from descheduler.model.plan import Action, ProofRow

NAME = "descheduler-intents"
VERSION = 1
MAX_BYTES = 1_000_000
"""Of all keys and values together; the API server lets 1,048,576 through (apis/core/validation MaxSecretSize)."""
_LONG = 16_384  # characters from which an intent is compressed
_COMPRESSED = "zlib:"
_MAX_UNPACKED = 64 << 20
_NO_PROOF = ProofRow(candidates=0, expected="", expected_share=0.0)


@dataclass(frozen=True, slots=True)
class Intent:
    """One action of one plan, as announced at `at` (unix seconds)."""

    plan: str
    at: float
    action: Action
    version: int = VERSION

    @staticmethod
    def of(plan: str, action: Action, at: float) -> Intent:
        """The intent for an action, without what only people read: a whole wave must fit in one ConfigMap (1 MiB)."""
        pods = tuple(replace(move, requests={}, becomes={}, remade="", proof=_NO_PROOF) for move in action.pods)
        slim = replace(action, pods=pods, cost=replace(action.cost, parts={}, text=""), budgets=(), note="")
        return Intent(plan, at, slim)

    @property
    def key(self) -> str:
        """Its name in the ConfigMap (keys may hold only letters, digits and "-_.", at most 253)."""
        return hashlib.sha256(f"{self.plan}\n{self.action.id}".encode()).hexdigest()[:32]


class IntentStore:
    """The ConfigMap of intents. Every method raises ClusterError's kinds; those that write, LeadershipLost."""

    def __init__(self, writer: ClusterWriter, namespace: str, name: str = NAME) -> None:
        self._writer = writer
        self._meta = Meta(name=name, namespace=namespace)

    @property
    def namespace(self) -> str:
        """Where objects of our own are."""
        return self._meta.namespace

    def load(self) -> tuple[Intent, ...]:
        """All open intents, oldest first.

        Raises BadAnswer when one cannot be read: then somebody must look before anything more is moved.
        """
        found = self._read()
        intents = [_decode(key, text) for key, text in ((found and found.data) or {}).items()]
        return tuple(sorted(intents, key=lambda i: (i.at, i.key)))

    def open(self, intents: Iterable[Intent]) -> frozenset[str]:
        """Announce, in their order, as many as there is room for beside what is open; returns only when they are
        stored. The keys of those that are."""
        wanted = {i.key: _encode(i) for i in intents}
        stored = frozenset[str]()

        def write() -> None:
            nonlocal stored
            found = self._read()
            data = dict((found and found.data) or {})
            left = MAX_BYTES - sum(_size(key, text) for key, text in data.items() if key not in wanted)
            for key, text in wanted.items():
                if (size := _size(key, text)) <= left:
                    data[key], left = text, left - size
            stored = frozenset(wanted.keys() & data.keys())
            self._write(found, data)

        if wanted:
            until_written(write)
        return stored

    def close(self, intents: Iterable[Intent]) -> None:
        """Forget what is done, or what was never begun."""
        gone = frozenset(i.key for i in intents)

        def write() -> None:
            found = self._read()
            self._write(found, {k: v for k, v in ((found and found.data) or {}).items() if k not in gone})

        if gone:
            until_written(write)

    def _read(self) -> ConfigMap | None:
        return read_config_map(self._writer.transport, self._meta.namespace, self._meta.name)

    def _write(self, found: ConfigMap | None, data: dict[str, str]) -> None:
        if data != ((found and found.data) or {}):
            self._writer.save(ConfigMap(found.metadata if found else self._meta, data or None))


def _size(key: str, text: str) -> int:
    return len(key.encode()) + len(text.encode())


def _encode(intent: Intent) -> str:
    raw = msgspec.json.encode(intent)
    return raw.decode() if len(raw) < _LONG else _COMPRESSED + b64encode(zlib.compress(raw)).decode()


def _unpacked(text: str) -> str | bytes:
    """Raises ValueError or zlib.error."""
    if not text.startswith(_COMPRESSED):
        return text
    stream = zlib.decompressobj()
    raw = stream.decompress(b64decode(text.removeprefix(_COMPRESSED), validate=True), _MAX_UNPACKED)
    if not stream.eof:
        raise ValueError("it is cut off or too large")
    return raw


def _decode(key: str, text: str) -> Intent:
    try:
        intent = msgspec.json.decode(_unpacked(text), type=Intent)
    except (ValueError, zlib.error) as e:  # msgspec's errors are ValueErrors
        raise BadAnswer(f"the open intent {key} cannot be read: {e}") from e
    if intent.version != VERSION:
        raise BadAnswer(f"the open intent {key} is of version {intent.version}; this program knows version {VERSION}")
    return intent
