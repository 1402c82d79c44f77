"""Who is compared: somebody who looks at the cluster once a step, and may evict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from descheduler.backtest.cluster import Cluster
from descheduler.backtest.meter import Meter
from descheduler.backtest.world import World
from descheduler.model.arrays import Floats32, Mask


@dataclass(frozen=True, eq=False, slots=True)
class Foreseen:
    """What a plan said of all N nodes at a time: which it `found` hot, and by signal the `level` [N], a fraction of
    allocatable, that they were not expected to pass within `horizon` seconds."""

    at: float
    found: Mask
    level: dict[str, Floats32]
    horizon: float


class Contender(Protocol):
    """One way to keep nodes cool. A walk makes its own, so it may remember what it likes."""

    @property
    def name(self) -> str:
        """How it is called."""

    def act(self, cluster: Cluster, meter: Meter, now: float) -> None:
        """Look at what is known `now`, and move what is to be moved (`cluster.move`)."""


class Maker(Protocol):
    """Makes a contender for one walk; all that it draws comes from the generator."""

    @property
    def name(self) -> str:
        """How what it makes is called."""

    def make(self, world: World, rng: np.random.Generator) -> Contender:
        """A new one, which remembers nothing."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """Nobody does anything: what all others are measured against."""

    name: str = "nobody"

    def make(self, world: World, rng: np.random.Generator) -> Nobody:
        return self

    def act(self, cluster: Cluster, meter: Meter, now: float) -> None:
        return
