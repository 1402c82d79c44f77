"""The same profiles wherever they are built."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from descheduler.model.errors import UsageError
from descheduler_profiling import executors
from descheduler_profiling.build import build
from descheduler_profiling.executors import InProcess, Local, Processes, executor, granted_cores
from descheduler_profiling.settings import ProfileSettings
from series_cases import history, noise


@pytest.mark.parametrize("text", ["processes:2", "local"])
def test_processes_build_the_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "FEW", 1)
    one = history(noise(96, 3))
    with executor(text) as runner:
        there = build(one, ProfileSettings(chunk=32), runner)
    here = build(one, ProfileSettings(chunk=32), InProcess())
    assert np.array_equal(there.vectors, here.vectors)
    assert there.why == here.why


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_builds_the_same() -> None:
    pytest.importorskip("distributed")
    one = history(noise(96, 3))
    with executor("dask:2") as runner:
        there = build(one, ProfileSettings(chunk=32), runner)
    assert np.array_equal(there.vectors, build(one, ProfileSettings(chunk=32), InProcess()).vectors)


@pytest.mark.parametrize("text", ["", "spark:2", "processes:0", "processes:two", "inline:3", "local:2"])
def test_an_unknown_executor_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        executor(text)


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 64), ("200000 100000", 2), ("50000 100000", 1), ("150000 100000", 2), ("", 64)]
)
def test_no_more_cores_are_used_than_the_control_group_grants(
    quota: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64), raising=False)
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert granted_cores(file) == cores
    assert granted_cores(tmp_path / "none") == 64


def test_a_few_chunks_and_a_single_core_need_no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "Processes", None)  # nobody asks for them
    few = range(executors.FEW)
    assert list(Local(2).map(float, few)) == list(few)
    assert list(Local(1).map(float, range(100))) == list(range(100))


def test_where_no_processes_can_be_started_it_goes_on_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: int) -> None:
        raise PermissionError("fork")

    monkeypatch.setattr(executors, "Processes", forbidden)
    assert list(Local(2).map(float, range(100))) == list(range(100))


def test_what_a_lost_worker_was_to_do_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASKED_BY", str(os.getpid()))
    with Processes(2) as runner:
        assert list(runner.map(square_unless_a_worker, range(6))) == [n * n for n in range(6)]


def test_what_a_function_raises_is_raised_and_what_it_prints_is_no_answer() -> None:
    with Processes(1) as runner:
        assert list(runner.map(talkative, [1])) == [1]
        with pytest.raises(ZeroDivisionError):
            list(runner.map(talkative, [0]))
        assert list(runner.map(talkative, [2])) == [0]


def test_a_script_without_a_guard_is_not_run_twice(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from descheduler_profiling.executors import Processes\n"
        "print('begun', flush=True)\n"
        "with Processes(2) as runner:\n"
        "    print(list(runner.map(abs, range(-3, 0))))\n"
    )
    ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.splitlines() == ["begun", "[3, 2, 1]"]


def square_unless_a_worker(number: int) -> int:
    if str(os.getpid()) != os.environ["ASKED_BY"]:
        os._exit(9)
    return number * number


def talkative(number: int) -> int:
    os.write(1, b"working")
    return 1 // number
