"""Intents: what is about to be done, written down before the first eviction of a wave.

A unit of several pods needs it, so that no crash leaves it half moved; a single pod gets one too, so that no crash
makes us forget that we moved it. They live in one ConfigMap, one entry per action, replaced only at the version that
was read. An entry is removed when its unit is done. So whatever is found there at a start was interrupted, and the
cluster itself says how far it came: a pod whose uid is still there was not evicted. No progress is written, so no
write of ours can contradict it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec

from descheduler.apiwrite.conflicts import until_written
from descheduler.apiwrite.transport import Transport
from descheduler.apiwrite.wire import ConfigMap, Meta
from descheduler.apiwrite.writer import ClusterWriter, read_config_map
from descheduler.model.errors import BadAnswer
from descheduler.model.plan import Action, ProofRow

NAME = "descheduler-intents"
VERSION = 1
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

    @property
    def _transport(self) -> Transport:
        return self._writer.transport

    def load(self) -> tuple[Intent, ...]:
        """All open intents, oldest first.

        Raises BadAnswer when one cannot be read: then somebody must look before anything more is moved.
        """
        found = read_config_map(self._transport, self._meta.namespace, self._meta.name)
        intents = [_decode(key, text) for key, text in ((found and found.data) or {}).items()]
        return tuple(sorted(intents, key=lambda i: (i.at, i.key)))

    def open(self, intents: Iterable[Intent]) -> None:
        """Announce; returns only when they are stored."""
        self._change({i.key: msgspec.json.encode(i).decode() for i in intents}, ())

    def close(self, intents: Iterable[Intent]) -> None:
        """Forget what is done, or what was never begun."""
        self._change({}, [i.key for i in intents])

    def _change(self, added: Mapping[str, str], removed: Iterable[str]) -> None:
        gone = frozenset(removed)
        if added or gone:
            until_written(lambda: self._write(added, gone))

    def _write(self, added: Mapping[str, str], removed: frozenset[str]) -> None:
        found = read_config_map(self._transport, self._meta.namespace, self._meta.name)
        old = (found and found.data) or {}
        data = {**{k: v for k, v in old.items() if k not in removed}, **added}
        if data != old:
            self._writer.save(ConfigMap(found.metadata if found else self._meta, data or None))


def _decode(key: str, text: str) -> Intent:
    try:
        intent = msgspec.json.decode(text, type=Intent)
    except msgspec.MsgspecError as e:
        raise BadAnswer(f"the open intent {key} cannot be read: {e}") from e
    if intent.version != VERSION:
        raise BadAnswer(f"the open intent {key} is of version {intent.version}; this program knows version {VERSION}")
    return intent
