"""What is examined, and what it is examined with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from descheduler.observe.stages import Stages
from descheduler.policy import Policy


@dataclass(frozen=True, slots=True)
class Given:
    """An installation by its policy and options.

    `problems` of the policy, in whose place `policy` is then the default one; `source` names where it came from. `url`
    of the command line comes before the policy's. `namespace` and `lease` are the controller's; `active`: it acts.
    `now` gives unix seconds, `stages` hears what is being done.
    """

    policy: Policy
    source: str
    problems: tuple[str, ...]
    url: str | None
    namespace: str
    lease: str
    active: bool
    now: Callable[[], float]
    rng: Random
    stages: Stages
