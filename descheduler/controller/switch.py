"""Off means off: whether plans are carried out is decided by the safest of all who have a say.

These are `--mode`, the policy in force, the policy file as it is at this moment, and, where the policy comes from a
ConfigMap, that ConfigMap as the API server has it: a mounted file follows it only after a minute or so. Its annotation
`PAUSED` stops acting without any change of the policy. Whoever says nothing of the mode has no say; whoever cannot be
read counts as off. All are asked again before each unit is begun.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from descheduler.apiwrite.transport import Transport
from descheduler.apiwrite.writer import read_config_map
from descheduler.model.errors import ClusterError, PolicyError
from descheduler.policy import Policy, written_mode

ACTIVE, DRY_RUN = "active", "dry-run"
PAUSED = "rebalance.descheduler.dev/paused"
"""On the policy's ConfigMap: any value but `false` stops acting."""
FLAG = "--mode"
_HOW_TO_ACT = "; an installation that may act has --mode=active and the right to evict (overlay active)"


@dataclass(frozen=True, slots=True)
class Stance:
    """Whether plans are carried out; `text` says so, and who decided it."""

    active: bool
    text: str


@dataclass(frozen=True, slots=True)
class PolicyMap:
    """The ConfigMap that the policy file is mounted from."""

    transport: Transport
    namespace: str
    name: str

    @property
    def text(self) -> str:
        return f"ConfigMap {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class _Voice:
    who: str
    active: bool
    why: str = ""  # where it did not say so itself

    @property
    def text(self) -> str:
        return f"{self.who} {self.why or ('says active' if self.active else 'says dry-run')}"


@dataclass(frozen=True, slots=True)
class Switch:
    """`flag` is `--mode`, `path` the policy file; either is None where it is not given."""

    flag: str | None = None
    path: Path | None = None
    config_map: PolicyMap | None = None

    def look(self, policy: Policy) -> Stance:
        """How things stand now; `policy` is the one in force."""
        voices = list(self._near(policy))
        if voices and all(voice.active for voice in voices):
            voices.extend(self._far())  # asked only when its answer matters
        off = next((voice for voice in voices if not voice.active), None)
        on = " and ".join(voice.who for voice in voices if voice.active)
        if off is not None:
            though = f", though {on} {'say' if ' and ' in on else 'says'} {ACTIVE}" if on else ""
            return Stance(False, f"{DRY_RUN}: {off.text}{though}{_HOW_TO_ACT if on and off.who == FLAG else ''}")
        if not voices:
            return Stance(False, f"{DRY_RUN}: neither {FLAG} nor the policy says {ACTIVE}")
        return Stance(True, f"{ACTIVE}: by {on}")

    def _near(self, policy: Policy) -> Iterator[_Voice]:
        if self.flag is not None:
            yield _Voice(FLAG, self.flag == ACTIVE)
        if self.path is not None:  # the default policy is nobody's word
            if "mode" in policy.model_fields_set:
                yield _Voice("the policy", policy.mode == ACTIVE)
            yield from _unless_active("the policy file", self.path)

    def _far(self) -> Iterator[_Voice]:
        found = self.config_map
        if found is None:
            return
        try:
            read = read_config_map(found.transport, found.namespace, found.name)
        except ClusterError as error:
            yield _Voice(found.text, False, f"cannot be read: {error}")
            return
        if read is None:
            yield _Voice(found.text, False, "is not there")
            return
        paused = (read.metadata.annotations or {}).get(PAUSED)
        if paused is not None and paused != "false":
            yield _Voice(found.text, False, f"has the annotation {PAUSED}")
        text = (read.data or {}).get(self.path.name) if self.path is not None else None
        if text is not None:
            yield from _unless_active(found.text, text)


def _unless_active(who: str, source: Path | str) -> Iterator[_Voice]:
    """What a policy that is not in force yet, or not valid, says of the mode, where that is not `active`."""
    try:
        mode = written_mode(source)
    except PolicyError as error:
        yield _Voice(who, False, f"does not tell its mode: {'; '.join(error.problems)}")
        return
    if mode not in (None, ACTIVE):
        yield _Voice(who, False)
