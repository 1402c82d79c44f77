"""HotNodes: what counts as one stretch of heat."""

from __future__ import annotations

import numpy as np
import pytest

from descheduler_strategies.hot_nodes.heat import stretch


@pytest.mark.parametrize(
    ("above", "expected"),
    [
        ("0011100", (2, 3)),
        ("1110111", (0, 7)),  # a dip of one step is noise
        ("1100111", (0, 7)),
        ("1100011", (0, 2)),  # a real pause ends the stretch
        ("0000001", (6, 1)),
        ("1111111", (0, 7)),
    ],
)
def test_a_stretch_ends_with_a_pause_and_not_with_a_dip(above: str, expected: tuple[int, int]) -> None:
    assert stretch(np.array([c == "1" for c in above])) == expected
