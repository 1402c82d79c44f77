"""What was moved before a plan, and when pods may move at all: drawn for a seed, and judged by plain arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from descheduler.learning.ledger import Ledger, LedgerEntry, LedgerRules
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.filters.schedule import Window
from descheduler.policy import Policy

HOUR = 3600.0
RULES = replace(
    LedgerRules.of(Policy()),
    unit=1.5 * HOUR,
    workload=600.0,
    growth=3.0,
    longest=6 * HOUR,
    quarantine_after=3,
    quarantine=48 * HOUR,
)


@dataclass(frozen=True)
class Moved:
    """A pod that replaces one that was moved `ago` seconds before; `turn`: which move of its unit that was."""

    uid: str
    workload: str
    ago: float
    turn: int


@dataclass(frozen=True)
class Drawn:
    """A window, and whether it is open now."""

    window: Window
    is_open: bool


@dataclass(frozen=True)
class Past:
    """What came before. `windows` empty: all may move at any time."""

    moves: tuple[Moved, ...] = ()
    windows: tuple[Drawn, ...] = field(default=())

    def ledger(self, now: float) -> Ledger | None:
        """The same as the controller keeps it."""
        if not self.moves:
            return None
        entries = [
            LedgerEntry(
                at=now - one.ago,
                plan=f"p{i}",
                action="a1",
                strategy="HotNodes",
                unit=f"default/former-{i}",
                workload=one.workload,
                pod=f"default/former-{i}",
                uid=f"former-{i}",
                source="n00",
                predicted="n01",
                landed="n01",
                successor=one.uid,
                ready_seconds=5.0,
                turn=one.turn,
            )
            for i, one in enumerate(self.moves)
        ]
        return Ledger(tuple(sorted(entries, key=lambda e: e.at)), rules=RULES)

    def why_not(self, pod: Pod, workload: str) -> Iterator[str]:
        """Why the pod may not move now."""
        for one in self.moves:
            if one.uid == pod.uid:
                rests = min(RULES.longest, RULES.unit * RULES.growth ** (one.turn - 1))
                if one.ago < rests:
                    yield f"cooling down: moved {one.ago:.0f} s ago, rests {rests:.0f} s"
                if one.turn >= RULES.quarantine_after and one.ago < RULES.quarantine:
                    yield f"in quarantine after {one.turn} moves"
            if one.workload == workload and one.ago < RULES.workload:
                yield f"of {workload}, of which a pod was moved {one.ago:.0f} s ago"
        here = [d for d in self.windows if not d.window.namespaces or pod.namespace in d.window.namespaces]
        if self.windows and not any(d.is_open for d in here):
            yield "outside every window"


NOTHING = Past()


def draw_past(rng: Random, snapshot: ClusterSnapshot) -> Past:
    """Nothing in half of the states."""
    moves: list[Moved] = []
    if rng.random() < 0.5 and snapshot.pods:
        for pod in rng.sample(snapshot.pods, min(len(snapshot.pods), rng.randint(1, 8))):
            ago = rng.choice((60.0, 599.0, 601.0, HOUR, 2 * HOUR, 5 * HOUR, 30 * HOUR, 60 * HOUR))
            moves.append(Moved(pod.uid, str(snapshot.root(pod)), ago, rng.choice((1, 1, 2, 3, 4))))
    return Past(tuple(moves), draw_windows(rng, snapshot.taken_at, sorted({p.namespace for p in snapshot.pods})))


def draw_windows(rng: Random, now: float, namespaces: Sequence[str]) -> tuple[Drawn, ...]:
    """Windows that opened some minutes ago, each still open or closed since; in most states none."""
    out: list[Drawn] = []
    for _ in range(rng.choice((0, 0, 0, 0, 1, 2))):
        ago = rng.randint(5, 300)
        at = datetime.fromtimestamp(now, UTC) - timedelta(minutes=ago)
        is_open = rng.random() < 0.6
        lasts = ago + rng.randint(2, 60) if is_open else max(1, ago - rng.randint(2, 60))
        names = tuple(rng.sample(list(namespaces), 1)) if namespaces and rng.random() < 0.4 else ()
        out.append(Drawn(Window(f"{at.minute} {at.hour} * * *", lasts * 60.0, "UTC", names), is_open))
    return tuple(out)
