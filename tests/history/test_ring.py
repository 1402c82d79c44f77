"""The window of one signal moves with time, and is rounded once: what was rounded before stays as it was."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.ring import Ring
from descheduler_profiling.history.serial import coarse

STEP, COLUMNS = 300, 40
EDGES = [0.0, 1e-30, 1e-6, 0.5, 3.0, 1e9, np.inf, -1.0, np.nan]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(EDGES), min_size=COLUMNS, max_size=COLUMNS), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), min_size=1, max_size=4),
    st.integers(0, 99),
)
def test_a_window_that_moves_is_rounded_as_if_all_of_it_were_new(
    rows: list[list[float]], moves: list[tuple[int, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    keys = [WorkloadKey("a", "Deployment", f"w{i}") for i in range(len(rows))]
    ring = Ring(Grid(0, STEP, COLUMNS), list(keys), np.array(rows, np.float32), np.ones(COLUMNS, np.bool_))
    ring.settle()
    for by, columns in moves:
        grid = Grid(ring.grid.start + by * STEP, STEP, COLUMNS)
        moved = ring.moved_to(grid)
        newest = rng.choice(np.array(EDGES, np.float32), (len(keys), columns))
        moved.write(grid.part(COLUMNS - columns, columns), keys, newest, whole=True)
        unrounded = {key: moved.values[row].copy() for row, key in enumerate(moved.keys)}
        moved.settle()
        for row, key in enumerate(moved.keys):
            np.testing.assert_array_equal(moved.values[row], coarse(unrounded[key][None])[0])
        ring = moved
