"""The real kubernetes-sigs descheduler and ours, by the same policies, on the same real API server.

Where pods leave that would not under the other, the difference is one that is documented, and the table says which.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.cluster import ControlPlane
from peers.binaries import SIGS_DESCHEDULER, ensure_built
from peers.sigs.comparing import Comparison, Kind
from peers.sigs.situations import Situation, situations


@pytest.fixture
def comparison(control_plane: ControlPlane, tmp_path: Path) -> Comparison:
    return Comparison(control_plane, ensure_built(SIGS_DESCHEDULER) / "descheduler", tmp_path)


@pytest.mark.parametrize("situation", list(situations()), ids=lambda s: f"{s.strategy}-{s.name}".replace(" ", "-"))
def test_what_leaves_agrees_or_differs_as_documented(situation: Situation, comparison: Comparison) -> None:
    verdict = comparison.of(situation)

    assert verdict.kind is (Kind.DOCUMENTED if situation.because else Kind.AGREE), str(verdict)
