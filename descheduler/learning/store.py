"""Keeps the ledger in a ConfigMap: compressed JSON, always well below the API server's limit of 1 MiB.

What would not fit is shed, the oldest moves first, a quarter at a time: less is then known of cooldowns and hit rates
of long ago, and nothing of what is under way.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from descheduler.apiwrite.conflicts import until_written
from descheduler.apiwrite.wire import ConfigMap, Meta
from descheduler.apiwrite.writer import ClusterWriter, read_config_map
from descheduler.learning.ledger import Ledger, LedgerEntry, LedgerRules
from descheduler.learning.strategy_pauses import Pause
from descheduler.model.errors import BadAnswer

NAME = "descheduler-ledger"
KEY = "ledger.json.z"
VERSION = 1
MAX_BYTES = 900_000  # of compressed JSON; base64 adds a third on the wire, but the limit counts decoded bytes
MAX_UNPACKED = 32 << 20


@dataclass(frozen=True, slots=True)
class _Document:
    version: int
    entries: tuple[LedgerEntry, ...] = ()
    pauses: Mapping[str, Pause] = field(default_factory=dict)


def pack(ledger: Ledger) -> bytes:
    """The ledger as kept; the oldest entries go first when it would be too large."""
    entries = ledger.entries
    while True:
        text = msgspec.json.encode(_Document(VERSION, entries, ledger.pauses))
        packed = zlib.compress(text, 6)
        fits = len(packed) <= MAX_BYTES and len(text) <= MAX_UNPACKED  # what nobody could read again is not kept
        if fits or not entries:
            return packed
        entries = entries[len(entries) // 4 + 1 :]


def unpack(packed: bytes, rules: LedgerRules) -> Ledger:
    """Raises BadAnswer: without what was moved before, nothing may be moved."""
    try:
        stream = zlib.decompressobj()
        text = stream.decompress(packed, MAX_UNPACKED)
        if not stream.eof:
            raise BadAnswer("the kept ledger is cut off or too large")
        document = msgspec.json.decode(text, type=_Document)
    except (zlib.error, msgspec.MsgspecError) as e:
        raise BadAnswer(f"the kept ledger cannot be read: {e}") from e
    if document.version != VERSION:
        raise BadAnswer(f"the kept ledger is of version {document.version}; this program knows version {VERSION}")
    pauses = {key: replace(pause, strategy=pause.strategy or key) for key, pause in document.pauses.items()}
    return Ledger(document.entries, pauses, rules)


class LedgerStore:
    """The ConfigMap of the ledger. Only the leader writes it."""

    def __init__(self, writer: ClusterWriter, namespace: str, name: str = NAME) -> None:
        self._writer = writer
        self._meta = Meta(name=name, namespace=namespace)

    def load(self, rules: LedgerRules) -> Ledger:
        """What was kept, an empty ledger when nothing was. Raises ClusterError's kinds, BadAnswer among them."""
        found = read_config_map(self._writer.transport, self._meta.namespace, self._meta.name)
        packed = ((found and found.binary_data) or {}).get(KEY)
        return Ledger(rules=rules) if packed is None else unpack(packed, rules)

    def save(self, ledger: Ledger) -> None:
        """Keep it. Raises ClusterError's kinds and LeadershipLost."""
        data = {KEY: pack(ledger)}

        def write() -> None:
            found = read_config_map(self._writer.transport, self._meta.namespace, self._meta.name)
            self._writer.save(ConfigMap(found.metadata if found else self._meta, binary_data=data))

        until_written(write, attempts=2)  # a deposed leader's last write may come between; the fence says ours counts
