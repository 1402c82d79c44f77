"""The commands as a user types them: what they print, where, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMAND = str(Path(sys.executable).with_name("descheduler"))


def run(*words: str, **rest: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *words], capture_output=True, text=True, timeout=120, **rest)


def plan_of(*words: str) -> dict[str, Any]:
    done = run("plan", *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refused(*words: str, code: int = 2) -> str:
    """The one message of a command that cannot do what it is asked."""
    done = run(*words)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_the_example_is_planned_and_shown_as_a_table() -> None:
    done = run("plan", "--example")
    assert done.returncode == 0
    assert "general-07" in done.stdout
    assert "DisruptionBudget" in done.stdout


@pytest.mark.parametrize("form", ["table", "wide", "json", "yaml", "html"])
def test_every_form_of_output_goes_to_stdout_or_a_file(form: str, tmp_path: Path) -> None:
    file = tmp_path / "out"
    printed = run("plan", "--example", "-o", form)
    written = run("plan", "--example", "-o", form, "--output-file", str(file))
    assert printed.returncode == written.returncode == 0
    assert printed.stdout
    assert written.stdout == ""
    assert file.read_text() == printed.stdout


def test_the_example_is_sound() -> None:
    done = run("doctor", "--example")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("A plan can be trusted: 0 failures, 0 warnings.\n")
    document = json.loads(run("doctor", "--example", "-o", "json").stdout)
    assert (document["format"], document["trusted"]) == ("descheduler-examination", True)
    assert {check["verdict"] for check in document["checks"]} == {"ok"}


def test_an_exit_code_tells_that_there_is_something_to_do() -> None:
    assert run("plan", "--example", "--exit-code").returncode == 3


def test_a_plan_that_was_written_can_be_shown_again(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    run("plan", "--example", "-o", "json", "--output-file", str(file))
    assert run("show", str(file)).stdout == run("plan", "--example").stdout


@pytest.mark.parametrize("name", ["cluster.recording", "folder"])
def test_a_recording_gives_the_plan_that_the_cluster_gave(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    assert run("record", "--example", "-o", str(path)).returncode == 0
    policy = tmp_path / "policy.yaml"
    policy.write_text(example_policy())
    live, replayed = plan_of("--example"), plan_of("--recording", str(path), "--policy", str(policy))
    assert moves(live) == moves(replayed)
    assert live["findings"] == replayed["findings"]


def test_an_anonymous_recording_gives_the_same_moves_under_other_names(tmp_path: Path) -> None:
    path = tmp_path / "cluster.recording"
    # The policy names this scheduler.
    assert run("record", "--example", "--anonymize", "--keep", "gpu-packer", "-o", str(path)).returncode == 0
    policy = tmp_path / "policy.yaml"
    policy.write_text(example_policy())
    replayed = plan_of("--recording", str(path), "--policy", str(policy))
    assert len([f for f in replayed["findings"] if f["resource"] == "cpu"]) == 2
    assert replayed["summary"]["moves"] == 6
    assert "checkout" not in json.dumps(replayed)


def test_a_recording_of_the_example_is_small(tmp_path: Path) -> None:
    path = tmp_path / "cluster.recording"
    run("record", "--example", "-o", str(path))
    assert path.stat().st_size < 2 * 2**20


def test_explaining_a_pod_names_what_holds_it() -> None:
    done = run("explain", "pod", "shop/cart-7d9f4c-00000", "--example")
    assert done.returncode == 0
    assert "shop/cart" in done.stdout


def test_a_policy_with_mistakes_is_told_all_of_them_with_their_places(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\nintervall: 5m\n"
        "limits: {perNode: -1}\nstrategies:\n  - HotNode: {}\n"
    )
    written = refused("plan", "--example", "--policy", str(file))
    assert f"{file}:3:1" in written
    assert "interval" in written
    assert ":4:" in written
    assert "did you mean" in written
    assert "HotNodes" in written


def test_the_default_policy_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(run("policy", "default").stdout)
    assert run("policy", "check", str(file)).returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("plan", "--example", "--recording", "x"), "contradict"),
        (("plan", "--recording", "/nowhere/at/all"), "/nowhere/at/all"),
        (("plan", "--example", "--policy", "/nowhere/policy.yaml"), "/nowhere/policy.yaml"),
        (("explain", "pod", "shop/crat", "--example"), "no pod shop/crat"),
        (("show", "/nowhere/plan.json"), "/nowhere/plan.json"),
    ],
)
def test_what_cannot_be_done_is_one_clear_message(words: tuple[str, ...], message: str) -> None:
    done = run(*words)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", [b"", b"not a recording", b"PK\x03\x04truncated"])
def test_a_foreign_or_broken_recording_is_one_clear_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cluster.recording"
    path.write_bytes(content)
    done = run("plan", "--recording", str(path))
    assert done.returncode == 1
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr


def test_an_api_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(kubeconfig("https://127.0.0.1:9"))
    written = refused("plan", "--kubeconfig", str(config), "--prometheus", "http://127.0.0.1:9", code=1)
    assert "127.0.0.1:9" in written


def test_a_kubeconfig_that_is_not_there_is_named() -> None:
    assert "/nowhere/config" in run("plan", "--kubeconfig", "/nowhere/config").stderr


def test_help_names_every_command() -> None:
    written = run("--help").stdout
    assert all(name in written for name in ("plan", "record", "run", "explain", "policy", "profile", "doctor"))


def moves(plan: dict[str, Any]) -> list[list[tuple[str, str, str]]]:
    return [[(p["pod"], p["source"], p["destination"]) for p in a["pods"]] for a in plan["actions"]]


def example_policy() -> str:
    from descheduler.example.example import example_policy

    return example_policy()


def kubeconfig(server: str) -> str:
    return f"""\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "{server}", insecure-skip-tls-verify: true}}}}]
users: [{{name: u, user: {{token: t}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
"""
