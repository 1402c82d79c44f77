from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.ring import Ring
from descheduler_profiling.history.store import HistoryStore

GRID = Grid(3000, 300, 6)


def ring(fill: float = 1.0) -> Ring:
    made = Ring.empty(GRID, "query")
    keys = [WorkloadKey("ns", "Deployment", "b"), WorkloadKey("ns", "Job", "ä")]
    made.write(GRID.part(0, 4), keys, np.full((2, 4), fill, np.float32), whole=True)
    return made


def saved(folder: Path, made: Ring | None = None) -> Path:
    HistoryStore(folder).keep("cpu", "f", made or ring(), now=0.0, soon=True)
    return folder / "cpu.history"


@given(values=hnp.arrays(np.float32, (3, 6), elements=st.floats(width=32)), read=hnp.arrays(np.bool_, 6))
def test_a_restart_finds_what_was_kept(
    values: np.ndarray, read: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("store")
    keys = [WorkloadKey("ns", "Deployment", name) for name in "cab"]
    saved(folder, Ring(GRID, keys, values, read, "the query"))
    loaded = HistoryStore(folder).load("cpu", "f")
    assert loaded.ring is not None
    np.testing.assert_array_equal(loaded.ring.values, values)
    np.testing.assert_array_equal(loaded.ring.read, read)
    assert (loaded.ring.keys, loaded.ring.grid, loaded.ring.query) == (keys, GRID, "the query")


def test_a_store_without_files_has_nothing_and_no_complaint(tmp_path: Path) -> None:
    loaded = HistoryStore(tmp_path / "absent").load("cpu", "f")
    assert (loaded.ring, loaded.reason) == (None, "")


def test_a_file_cut_or_changed_anywhere_is_ignored_with_a_reason(tmp_path: Path) -> None:
    path = saved(tmp_path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :], whole + b"x"):
            path.write_bytes(damaged)
            loaded = HistoryStore(tmp_path).load("cpu", "f")
            assert loaded.ring is None
            assert loaded.reason


def test_another_question_or_version_is_ignored_with_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(tmp_path)
    assert "changed" in HistoryStore(tmp_path).load("cpu", "other").reason
    monkeypatch.setattr("descheduler_profiling.history.store._VERSION", 2)
    loaded = HistoryStore(tmp_path).load("cpu", "f")
    assert loaded.ring is None
    assert "version" in loaded.reason


def test_a_folder_that_cannot_be_written_is_said_and_memory_still_serves(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = HistoryStore(tmp_path / "file")
    assert "cannot be kept" in store.keep("cpu", "f", ring(), now=0.0, soon=True)
    assert store.load("cpu", "f").ring is not None


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes: writing fails as on a full disk, wherever tests run."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("most", [0, 1, 40, 100])
def test_a_full_disk_is_told_and_spoils_nothing(tmp_path: Path, most: int) -> None:
    store = HistoryStore(tmp_path)
    store.keep("cpu", "f", ring(1.0), now=0.0, soon=True)
    with full_disk(most):
        store.keep("cpu", "f", ring(2.0), now=1.0, soon=True)
        assert store.problem == f"{tmp_path / 'cpu.history'} cannot be kept: File too large (EFBIG)"
        newest = store.load("cpu", "f").ring
        assert newest is not None
        assert newest.values[0, 0] == 2.0, "memory has it"
    assert [p.name for p in tmp_path.iterdir()] == ["cpu.history"], "nothing half written is left"
    kept = HistoryStore(tmp_path).load("cpu", "f").ring
    assert kept is not None
    assert kept.values[0, 0] == 1.0, "the former file is whole"
    store.keep("cpu", "f", ring(2.0), now=2.0)
    assert store.problem == "", "tried again at once, and told no more"
    kept = HistoryStore(tmp_path).load("cpu", "f").ring
    assert kept is not None
    assert kept.values[0, 0] == 2.0


def test_small_additions_wait_and_large_ones_do_not(tmp_path: Path) -> None:
    store = HistoryStore(tmp_path, save_seconds=900)
    path = saved(tmp_path)
    store.keep("cpu", "f", ring(1), now=1000.0)
    first = path.read_bytes()
    store.keep("cpu", "f", ring(2), now=1300.0)
    assert path.read_bytes() == first
    store.keep("cpu", "f", ring(3), now=1600.0, soon=True)
    second = path.read_bytes()
    assert second != first
    store.keep("cpu", "f", ring(4), now=2500.0)
    assert path.read_bytes() != second


def test_any_signal_name_is_a_file_name(tmp_path: Path) -> None:
    store = HistoryStore(tmp_path)
    for name in ("../up", "a/b", "ü", "."):
        assert store.keep(name, "f", ring(), now=0.0, soon=True) == ""
        assert HistoryStore(tmp_path).load(name, "f").ring is not None
    assert {path.parent for path in tmp_path.rglob("*")} == {tmp_path}


def test_a_process_killed_at_any_moment_leaves_a_whole_history_or_none(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys
        import numpy as np
        from pathlib import Path
        from descheduler.model.workloads import WorkloadKey
        from descheduler_profiling.history.grid import Grid
        from descheduler_profiling.history.ring import Ring
        from descheduler_profiling.history.store import HistoryStore

        grid = Grid(0, 300, 2016)
        keys = [WorkloadKey("ns", "Deployment", str(i)) for i in range(400)]
        store = HistoryStore(Path(sys.argv[1]))
        fill = 0
        while True:
            values = np.full((400, 2016), fill, np.float32)
            store.keep("cpu", "f", Ring(grid, keys, values, np.ones(2016, bool)), now=float(fill), soon=True)
            print(fill, flush=True)
            fill += 1
        """
    )
    rng = np.random.default_rng(5)
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process.stdout:
            for _ in range(int(rng.integers(1, 4))):
                last = int(process.stdout.readline())
            try:
                process.wait(float(rng.random()) * 0.02)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()
        loaded = HistoryStore(tmp_path).load("cpu", "f")
        assert loaded.ring is not None, loaded.reason
        assert loaded.ring.values.shape == (400, 2016)
        assert np.unique(loaded.ring.values).size == 1
        assert loaded.ring.values[0, 0] >= last
    saved(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["cpu.history"], "what crashes left behind is cleared away"


def test_the_window_moves_and_forgets_what_falls_out_of_it() -> None:
    made = ring()
    made.write(GRID.part(4, 2), [WorkloadKey("ns", "Deployment", "late")], np.full((1, 2), 9, np.float32), whole=True)
    moved = made.moved_to(Grid(3000 + 4 * 300, 300, 6))
    assert [key.name for key in moved.keys] == ["late"]
    np.testing.assert_array_equal(moved.values[0, :2], [9, 9])
    assert moved.read.tolist() == [True, True, False, False, False, False]
    assert moved.unread(6) == [Grid(3000 + 6 * 300, 300, 4)]
    far = made.moved_to(Grid(900_000, 300, 6))
    assert far.keys == []
    assert not far.read.any()


def test_a_partial_answer_adds_and_a_whole_one_replaces() -> None:
    made = ring()
    part = GRID.part(0, 2)
    only = [WorkloadKey("ns", "Deployment", "b")]
    made.write(part, only, np.array([[np.nan, 5]], np.float32), whole=False)
    assert made.values[0, :2].tolist() == [1, 5]
    assert made.values[1, 0] == 1
    made.write(part, only, np.array([[7, 8]], np.float32), whole=True)
    assert made.values[0, :2].tolist() == [7, 8]
    assert np.isnan(made.values[1, :2]).all(), "who is not in a whole answer was not there"
