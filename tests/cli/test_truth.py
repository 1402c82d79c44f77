"""What commands say is true: exit codes for pipelines, names that a cluster does not have, options as given."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from cli.test_commands import COMMAND, run

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("plan") / "plan.json"
    assert run("plan", "--example", "-o", "json", "--output-file", str(file)).returncode == 0
    return file


def test_a_pipeline_stops_for_what_it_names_and_for_nothing_else(plan_file: Path) -> None:
    passed = run("show", str(plan_file), "--fail-on", "unanswered", "--fail-on", "data", "-o", "junit")
    assert (passed.returncode, passed.stderr) == (0, "")
    assert ET.fromstring(passed.stdout).tag == "testsuites"
    stopped = run("show", str(plan_file), "--fail-on", "unanswered", "--fail-on", "findings", "-o", "markdown")
    assert (stopped.returncode, stopped.stderr) == (3, "the plan has findings (--fail-on)\n")
    assert stopped.stdout.startswith("## Plan ")


def test_a_plan_and_a_policy_are_read_from_stdin(plan_file: Path) -> None:
    shown = run("show", "-", "--fail-on", "moves", input=plan_file.read_text())
    assert shown.returncode == 3
    checked = run("policy", "check", "-", input=HEAD + "limits: {perCycle: 0}")
    assert checked.returncode == 0
    assert "warning: stdin:3:10: limits.perCycle: 0: nothing is ever moved" in checked.stdout


def test_a_recording_is_read_from_stdin(tmp_path: Path) -> None:
    path, policy = tmp_path / "cluster.recording", tmp_path / "policy.yaml"
    run("record", "--example", "-o", str(path))
    policy.write_text(HEAD)
    with path.open("rb") as file:
        words = [COMMAND, "plan", "--recording", "-", "--policy", str(policy), "--fail-on", "data"]
        done = subprocess.run(words, stdin=file, capture_output=True, text=True, timeout=120)
    assert done.returncode == 3
    assert "Nothing was found, but not all was looked at: the policy names no strategy." in done.stdout


def test_a_policy_is_compared_with_a_cluster(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(HEAD + "protections: {namespaces: {exclude: [kube-systm]}}\n")
    told = run("policy", "check", str(file), "--against", "example")
    assert told.returncode == 0
    assert "there is no namespace kube-systm (did you mean kube-system?)" in told.stdout
    assert run("policy", "check", str(file), "--against", "example", "--strict").returncode == 2
    assert run("policy", "check", str(file), "--strict").returncode == 0
    assert run("policy", "check", str(file), "--context", "x").returncode == 2


def test_options_of_a_connection_are_for_clusters() -> None:
    done = run("plan", "--example", "--as", "jane")
    assert done.returncode == 2
    assert "contradict" in done.stderr
    assert "must be a URL" in run("plan", "--server", "nowhere", "--prometheus", "http://127.0.0.1:9").stderr
    assert run("plan", "--request-timeout", "soon", "--prometheus", "http://127.0.0.1:9").returncode == 2


def test_a_pod_is_explained_by_its_name_and_namespace() -> None:
    done = run("explain", "pod", "cart-7d9f4c-00000", "-n", "shop", "--example")
    assert done.stdout.startswith("pod shop/cart-7d9f4c-00000: ")
    assert run("explain", "node", "general-07", "-n", "shop", "--example").returncode == 2


def test_the_version_is_an_option_too() -> None:
    assert run("--version").stdout == run("version").stdout != ""


def test_kubectl_is_told_what_may_follow() -> None:
    script = "from descheduler.cli.kubectl_completion import main; main()"  # what kubectl_complete-deschedule is
    words = [sys.executable, "-c", script, "plan", "--fail-on", "un"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.stdout == "unanswered\n:4\n"
