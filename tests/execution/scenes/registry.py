"""The world of each executor, by its name: a new executor adds its own."""

from __future__ import annotations

from execution.scenes.migrating import Migrating
from execution.scenes.requeuing import Requeuing
from execution.scenes.reserving import Reserving
from execution.scenes.scene import Deployments, Scene
from execution.scenes.surging import Surging

SCENES: dict[str, Scene] = {
    one.executor: one for one in (Deployments("evict"), Migrating(), Requeuing(), Reserving(), Surging())
}
