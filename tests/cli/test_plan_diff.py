"""Plans side by side, of files and of several policies, and single values of a policy set: as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.test_commands import moves, plan_of, refused, run
from descheduler.example.example import example_policy


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two policies and their plans of the example."""
    folder = tmp_path_factory.mktemp("plans")
    (folder / "mild.yaml").write_text(example_policy())
    (folder / "strict.yaml").write_text(
        example_policy().replace("cpu: 75%", "cpu: 60%").replace("limits: {", "limits: {perCycle: 3, ")
    )
    out = {name: str(folder / name) for name in ("mild.yaml", "strict.yaml", "mild.json", "strict.json")}
    for name in ("mild", "strict"):
        words = ("--policy", out[f"{name}.yaml"], "-o", "json", "--output-file", out[f"{name}.json"])
        assert run("plan", "--example", *words).returncode == 0
    return out


def compared(*words: str) -> dict[str, Any]:
    done = run("plan", *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_two_plans_are_compared(files: dict[str, str]) -> None:
    document = compared("diff", files["mild.json"], files["strict.json"])
    assert (document["format"], document["version"]) == ("descheduler/plan-comparison", 1)
    assert [plan["name"] for plan in document["plans"]] == ["mild.json", "strict.json"]
    mild, strict = (json.loads(Path(files[name]).read_text()) for name in ("mild.json", "strict.json"))
    assert document["numbers"]["moves"] == [mild["summary"]["moves"], strict["summary"]["moves"]]
    assert not document["same"]
    moved = {tuple(move[x] for x in ("namespace", "pod")): move for move in document["moves"]}
    assert len(moved) == len({pod["pod"] for plan in (mild, strict) for a in plan["actions"] for pod in a["pods"]})
    assert {change for move in moved.values() for change in move["changes"]} >= {"gone", "new"}
    assert {row["reason"]: row["counts"] for row in document["refusals"]}["CycleLimit"][0] == 0


def test_several_policies_are_compared_on_what_was_seen_once(files: dict[str, str]) -> None:
    policies = ("--policy", files["mild.yaml"], "--policy", files["strict.yaml"])
    done = run("plan", "--example", *policies, "-o", "json", "--exit-code")
    assert done.returncode == 3
    together = json.loads(done.stdout)
    apart = compared("diff", files["mild.json"], files["strict.json"])
    for document in (together, apart):
        for plan in document["plans"]:
            plan["name"] = plan["name"].partition(".")[0]
    assert together == apart


@pytest.mark.parametrize("form", ["table", "html"])
def test_a_comparison_is_written_for_people(form: str, files: dict[str, str], tmp_path: Path) -> None:
    words = ("plan", "diff", files["mild.json"], files["strict.json"], "-o", form)
    printed = run(*words).stdout
    assert "only in mild.json" in printed
    assert "shop/checkout-7d9f8c-00002" in printed
    file = tmp_path / "out"
    assert run(*words, "--output-file", str(file)).stdout == ""
    assert file.read_text() == printed


def test_the_exit_code_tells_whether_plans_differ(files: dict[str, str], tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    again.write_bytes(Path(files["mild.json"]).read_bytes())
    assert run("plan", "diff", files["mild.json"], files["strict.json"], "--exit-code").returncode == 3
    same = run("plan", "diff", files["mild.json"], str(again), "--exit-code")
    assert same.returncode == 0
    assert "The plans find, move and refuse the same." in same.stdout


def test_plans_that_cannot_be_compared_are_told(files: dict[str, str], tmp_path: Path) -> None:
    good = files["mild.json"]
    foreign, later, torn = tmp_path / "foreign.json", tmp_path / "later.json", tmp_path / "torn.json"
    foreign.write_text('{"format": "descheduler/plan-comparison", "version": 1}')
    later.write_text('{"format": "descheduler/plan", "version": 99}')
    torn.write_bytes(Path(good).read_bytes()[:500])
    alias = tmp_path / "alias.json"
    alias.symlink_to(good)
    assert f"{foreign}: not a plan document" in refused("plan", "diff", good, str(foreign), code=1)
    assert f"{later}: the plan document has a later version, 99" in refused("plan", "diff", good, str(later), code=1)
    assert str(torn) in refused("plan", "diff", str(torn), good, code=1)
    assert "is named twice" in refused("plan", "diff", good, good)
    assert "are the same file" in refused("plan", "diff", good, str(alias))
    assert "name another plan" in refused("plan", "diff", good)
    assert "/nowhere.json" in refused("plan", "diff", good, "/nowhere.json")
    assert "come after diff" in refused("plan", "-o", "json", "diff", good, str(later))
    assert "No such command" in refused("plan", "dif", good, str(later))


def test_policies_that_cannot_be_compared_are_told(files: dict[str, str], tmp_path: Path) -> None:
    mild = files["mild.yaml"]
    assert "is named twice" in refused("plan", "--example", "--policy", mild, "--policy", mild)
    two = ("--example", "--policy", mild, "--policy", files["strict.yaml"])
    assert "-o yaml is for one plan" in refused("plan", *two, "-o", "yaml")
    assert "strict.yaml: --set limits.perCycle=x" in refused(
        "plan", "--example", "--policy", files["strict.yaml"], "--set", "limits.perCycle=x"
    )
    shorter = tmp_path / "shorter.yaml"
    shorter.write_text(example_policy() + "history: {window: 2d}\n")
    words = ("--example", "--policy", mild, "--policy", str(shorter))
    assert "differ in history.window" in refused("plan", *words, "--at", "-1h")


def test_plans_of_the_same_name_are_told_apart_by_their_folders(files: dict[str, str], tmp_path: Path) -> None:
    other = tmp_path / "mild.json"
    other.write_bytes(Path(files["strict.json"]).read_bytes())
    document = compared("diff", files["mild.json"], str(other))
    assert [plan["name"] for plan in document["plans"]] == [files["mild.json"], str(other)]


def test_a_value_that_is_set_makes_the_plan_that_a_policy_with_it_makes(files: dict[str, str]) -> None:
    words = ("--example", "--policy", files["mild.yaml"])
    plan = plan_of(*words, "--set", "HotNodes.thresholds.cpu=60%", "--set", "limits.perCycle=3")
    strict = json.loads(Path(files["strict.json"]).read_text())
    assert plan["remarks"] == ["set for this plan alone: HotNodes.thresholds.cpu=60%, limits.perCycle=3"]
    assert (plan["id"], plan["policy_hash"]) == (strict["id"], strict["policy_hash"])
    assert moves(plan) == moves(strict)


def test_a_value_that_cannot_be_set_is_told_with_its_option() -> None:
    told = refused("plan", "--example", "--set", "limits.perCycle=many", "--set", "cost.margin=0")
    assert "--set limits.perCycle=many: must be a whole number" in told
    assert "--set cost.margin=0: must be at least 1" in told
    assert "did you mean HotNodes" in refused("plan", "--example", "--set", "HotNode.thresholds.cpu=1%")


def test_help_and_completion_name_what_there_is() -> None:
    written = run("plan", "--help").stdout
    assert all(name in written for name in ("--set", "--at", "diff"))
    import os

    asked = {
        **os.environ,
        "_DESCHEDULER_COMPLETE": "complete_bash",
        "COMP_WORDS": "descheduler plan ",
        "COMP_CWORD": "2",
    }
    assert "diff" in run(env=asked).stdout.split()
