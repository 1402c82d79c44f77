"""How commands end: the exit code, one message, and a traceback only for those who ask for it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import structlog
import typer

from descheduler.cli.failures import reported
from descheduler.example.example import example, example_policy
from descheduler.kube.recording.files import write_recording
from descheduler.model.errors import (
    DeschedulerError,
    Forbidden,
    HistoryUnreachable,
    PolicyError,
    RecordingError,
    Unreachable,
    UsageError,
)
from descheduler_profiling.history.serial import history_to_bytes
from descheduler_profiling.series import History, empty

COMMAND = str(Path(sys.executable).with_name("descheduler"))


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def ended(error: BaseException, verbose: int = 0) -> int:
    with pytest.raises(typer.Exit) as caught, reported(verbose):
        raise error
    return caught.value.exit_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("both"), 2),
        (PolicyError(("p.yaml:1:1: a", "p.yaml:2:1: b")), 2),
        (Unreachable("no answer from https://h"), 1),
        (HistoryUnreachable("no answer from http://p"), 1),
        (RecordingError("x: cut short"), 1),
        (Forbidden("list", "poddisruptionbudgets.policy", "missing permissions"), 1),
        (ZeroDivisionError("a defect"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_every_failure_has_its_exit_code_and_no_traceback(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(error) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip()
    assert "Traceback" not in err


def test_a_missing_permission_is_named_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    ended(Forbidden("list", "poddisruptionbudgets.policy", "missing permissions: list poddisruptionbudgets.policy"))
    written = capsys.readouterr().err
    assert "list poddisruptionbudgets.policy" in written
    assert "ClusterRole" in written


def test_all_problems_of_a_policy_are_lines_that_an_editor_can_jump_to(capsys: pytest.CaptureFixture[str]) -> None:
    ended(PolicyError(("p.yaml:1:1: a", "p.yaml:2:1: b")))
    assert capsys.readouterr().err.splitlines() == ["p.yaml:1:1: a", "p.yaml:2:1: b"]


def test_verbose_shows_the_traceback_with_its_cause(capsys: pytest.CaptureFixture[str]) -> None:
    error = DeschedulerError("what we say")
    error.__cause__ = OSError("what happened")
    ended(error, verbose=1)
    written = capsys.readouterr().err
    assert "Traceback" in written
    assert "what happened" in written
    assert "error: what we say" in written


def test_a_command_that_succeeds_says_nothing_of_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with reported(0):
        structlog.get_logger("descheduler").info("not for everybody")
    assert capsys.readouterr().err == ""


def test_a_service_logs_json_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with reported(0, service=True):
        structlog.get_logger("descheduler").info("planned", moves=3)
        logging.getLogger("tornado.application").warning("from a library")
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["moves"], ours["level"]) == ("planned", 3, "info")
    assert theirs["event"] == "from a library"


def recording(path: Path, **changed: History) -> Path:
    """The example as a recording, with the history of some signals changed."""
    made = example()
    histories = {signal: history_to_bytes(h) for signal, h in {**made.histories, **changed}.items()}
    write_recording(path, made.objects, histories, taken_at=made.taken_at, cluster=made.name)
    return path


def planned(path: Path, tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    policy = tmp_path / "policy.yaml"
    policy.write_text(example_policy())
    words = ["plan", "--recording", str(path), "--policy", str(policy), "-o", "json", *more]
    return subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=120)


def test_partial_history_is_told_and_moves_nothing_on_it(tmp_path: Path) -> None:
    cpu = replace(example().histories["cpu"], complete=False, problems=("two hours are missing",))
    done = planned(recording(tmp_path / "r.recording", cpu=cpu), tmp_path, "--exit-code")
    assert done.returncode == 1
    assert "two hours are missing" in done.stderr
    assert "Traceback" not in done.stderr
    plan = json.loads(done.stdout)
    assert all(action["strategy"] != "HotNodes" for action in plan["actions"])


def test_a_whole_recording_ends_well(tmp_path: Path) -> None:
    done = planned(recording(tmp_path / "r.recording"), tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    assert planned(tmp_path / "r.recording", tmp_path, "--exit-code").returncode == 3


def examined(path: Path, policy: str, tmp_path: Path) -> tuple[int, dict[tuple[str, str], str]]:
    """The exit code, and what failed."""
    (tmp_path / "policy.yaml").write_text(policy)
    words = ["doctor", "--recording", str(path), "--policy", str(tmp_path / "policy.yaml"), "-o", "json"]
    done = subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=120)
    checks = json.loads(done.stdout)["checks"]
    return done.returncode, {(c["area"], c["subject"]): c["text"] for c in checks if c["verdict"] == "failure"}


def test_the_doctor_tells_every_problem_of_a_recorded_history(tmp_path: Path) -> None:
    cpu = replace(example().histories["cpu"], complete=False, problems=("two hours are missing",))
    code, failed = examined(recording(tmp_path / "r.recording", cpu=cpu), example_policy(), tmp_path)
    assert code == 1
    assert failed["history", "cpu"] == "two hours are missing"
    assert failed["plan", "strategy HotNodes"] == "does not run: no usable history of cpu"


def test_a_recording_without_the_history_that_strategies_need_cannot_be_trusted(tmp_path: Path) -> None:
    made = example()
    write_recording(tmp_path / "r.recording", made.objects, {}, taken_at=made.taken_at, cluster=made.name)
    code, failed = examined(tmp_path / "r.recording", example_policy(), tmp_path)
    assert code == 1
    assert {("history", "cpu"), ("history", "memory")} <= failed.keys()
    code, failed = examined(tmp_path / "r.recording", example_policy().split("strategies:")[0], tmp_path)
    assert (code, failed) == (0, {})


def test_an_optional_signal_that_the_server_lacks_is_said_and_is_no_error(tmp_path: Path) -> None:
    gpu = replace(empty("gpu", "fraction", 300, ("the server has no such series now",)), absent=True)
    path = recording(tmp_path / "r.recording", gpu=gpu)
    done = planned(path, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    words = ["profile", "show", "--signal", "gpu", "--recording", str(path), "-o", "csv"]
    done = subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "gpu is optional: the server has no such series now\n")
    assert examined(path, example_policy(), tmp_path) == (0, {})


def test_profiles_of_workloads_that_are_gone_are_left_out(tmp_path: Path) -> None:
    cpu = example().histories["cpu"]
    gone = replace(cpu.keys[-1], name=f"{cpu.keys[-1].name}-gone")
    more = replace(
        cpu,
        keys=(*cpu.keys, gone),
        values=np.vstack([cpu.values, cpu.values[-1:]]),
        replicas=np.append(cpu.replicas, 1).astype(np.float32),
    )
    path = recording(tmp_path / "r.recording", cpu=more)
    words = ["profile", "show", "--recording", str(path), "-o", "json"]
    done = subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)["signals"][0]["workloads"]
    assert len(shown) == len(cpu.keys)
    assert f"1 workload with history ({gone})" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    script = f"{COMMAND} policy schema | head -1"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_no_colour_where_nobody_watches_or_somebody_asks() -> None:
    done = subprocess.run(
        [COMMAND, "plan", "--example"], capture_output=True, timeout=120, env={**os.environ, "NO_COLOR": "1"}
    )
    assert b"\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "words", [["--help"], ["plan", "--help"], ["run", "--help"], ["policy", "--help"], ["version"]]
)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    script = (
        "import sys; sys.argv[1:] = %r\n"
        "from descheduler.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "heavy = {'numpy', 'scipy', 'kubernetes', 'matplotlib', 'jinja2', 'structlog', 'requests', 'tornado', 'rich'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script % words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_wrong_usage_is_exit_code_2() -> None:
    for words in (["plan", "--nonsense"], ["nonsense"], ["plan", "-o", "pdf"], ["explain", "pod"], ["record"]):
        assert subprocess.run([COMMAND, *words], capture_output=True, timeout=60).returncode == 2, words


def test_what_native_libraries_print_is_no_part_of_an_answer() -> None:
    script = (
        "import os; from descheduler.cli import main\n"
        "main.app = lambda: (os.write(1, b'noise'), print('answer'))\n"
        "main.main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("answer\n", "noise")
