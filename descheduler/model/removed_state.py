"""What a pod that is removed was like, in a word that plans, intents and the ledger keep."""

from __future__ import annotations

from descheduler.model.pods import Phase, Pod

_OVER = frozenset({Phase.SUCCEEDED.value, Phase.FAILED.value})
_UNREADY = ", not ready"


def state_of(pod: Pod) -> str:
    """ "Failed", "Running", "Running, not ready"."""
    return pod.phase.value if pod.ready or pod.terminal else f"{pod.phase.value}{_UNREADY}"


def was_over(state: str) -> bool:
    """Whether the pod had finished: nobody is disturbed, and nobody makes it again."""
    return state in _OVER


def was_unready(state: str) -> bool:
    """Whether the pod was not ready, so that nobody can expect its replacement to be."""
    return state.endswith(_UNREADY)
