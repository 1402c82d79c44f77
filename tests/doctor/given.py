"""What the doctor is given in tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from descheduler.doctor.given import Given
from descheduler.observe.stages import UNWATCHED
from descheduler.policy import load_policy

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"


def given(policy: str = "", *, now: Callable[[], float] = time.time, active: bool = False) -> Given:
    return Given(
        policy=load_policy(f"{HEAD}{policy}", "test"),
        source="test",
        problems=(),
        url=None,
        namespace="descheduler",
        lease="descheduler",
        active=active,
        now=now,
        rng=Random(1),
        stages=UNWATCHED,
    )
