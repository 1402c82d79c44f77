"""What a pod that is removed or let go was like, in a word that plans, intents and the ledger keep."""

from __future__ import annotations

from descheduler.model.pods import Phase, Pod

_OVER = frozenset({Phase.SUCCEEDED.value, Phase.FAILED.value})
_UNREADY = ", not ready"
_LET_GO = ", let go"


def state_of(pod: Pod) -> str:
    """ "Failed", "Running", "Running, not ready"."""
    return pod.phase.value if pod.ready or pod.terminal else f"{pod.phase.value}{_UNREADY}"


def was_over(state: str) -> bool:
    """Whether the pod had finished: nobody is disturbed, and nobody makes it again."""
    return state in _OVER


def was_unready(state: str) -> bool:
    """Whether the pod was not ready, so that nobody can expect its replacement to be."""
    return as_seen(state).endswith(_UNREADY)


def let_go(pod: Pod) -> str:
    """The same of a pod that is released: "Running, let go"."""
    return f"{state_of(pod)}{_LET_GO}"


def was_let_go(state: str) -> bool:
    """Whether the pod was released, so that its replacement waits until somebody else has started."""
    return state.endswith(_LET_GO)


def as_seen(state: str) -> str:
    """What the pod was like, whatever was done to it."""
    return state.removesuffix(_LET_GO)
