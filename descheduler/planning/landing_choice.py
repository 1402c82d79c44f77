"""Who decides where moved pods land in one plan: what the executor can, what the policy wants, what is installed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from descheduler.model.directing import NAME, installed
from descheduler.model.landing_mode import LandingMode, LandingWish
from descheduler.model.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class LandingChoice:
    """`why` for people. `lacking`: what the policy wants is not to be had, so nothing may be carried out."""

    mode: LandingMode = LandingMode.PREDICTED
    why: str = ""
    lacking: str = ""


def choose_landing(
    wish: LandingWish, executors: Iterable[LandingMode], snapshot: ClusterSnapshot, unproved: str = ""
) -> LandingChoice:
    """The way in which moves of this plan land. `unproved` says why directing, which is installed, does not work.

    Only where all `executors` hold places is a move proved by that alone: what is proved where the scheduler decides,
    or is told what to prefer, holds for the expected node as well, on which one that holds places puts it.
    """
    if all(one is LandingMode.RESERVED for one in executors):
        return LandingChoice(LandingMode.RESERVED, "the executor holds places for replacements")
    if wish in (LandingWish.STEERED, LandingWish.PREDICTED):
        return LandingChoice(LandingMode(wish.value), f"the policy says so (acting.landing: {wish})")
    missing = unproved or ("" if installed(snapshot) else f"MutatingAdmissionPolicyBinding {NAME} is not installed")
    if not missing:
        return LandingChoice(LandingMode.DIRECTED, f"{NAME} is installed")
    if wish is LandingWish.DIRECTED:
        text = f"the policy wants directed landing, and {missing}"
        return LandingChoice(LandingMode.DIRECTED, f"the policy says so, but {missing}", text)
    return LandingChoice(LandingMode.PREDICTED, missing)
