"""`backtest` and `tune` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.test_commands import example_policy, refused, run
from descheduler.cli.main import app

NOON = ("--from", "-24h", "--to", "-23h")
VARY = ("--vary", "HotNodes.thresholds.cpu=70%,80%")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, as a recording without names."""
    path = tmp_path_factory.mktemp("recorded") / "cluster.recording"
    done = run("record", "--example", "--anonymize", "--keep", "gpu-packer", "-o", str(path))
    assert done.returncode == 0, done.stderr
    return path


def test_a_backtest_of_the_example_is_a_table_of_contenders() -> None:
    done = run("backtest", "--example", *NOON, "--against", "lownodeload,lownodeutilization")
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("nobody", "the example's policy", "LowNodeLoad", "LowNodeUtilization", "oracle", "hot min"):
        assert name in done.stdout


def test_documents_are_versioned_and_the_same_bytes_again(tmp_path: Path) -> None:
    file = tmp_path / "b.json"
    first = run("backtest", "--example", *NOON, "--seeds", "2", "-o", "json")
    again = run("backtest", "--example", *NOON, "--seeds", "2", "-o", "json", "--output-file", str(file))
    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    assert file.read_text() == first.stdout
    document = json.loads(first.stdout)
    assert (document["format"], document["version"]) == ("descheduler/backtest", 1)
    assert document["replay"]["seeds"] == [0, 1]
    assert document["contenders"][0]["figures"]["hot_minutes"]["by_seed"] == [80.0, 80.0]


def test_policies_and_ways_to_land_are_compared(tmp_path: Path) -> None:
    policy = tmp_path / "a.yaml"
    policy.write_text(example_policy())
    ways = ("--landing", "directed", "--landing", "steered")
    done = run("backtest", "--example", *NOON, "--policy", str(policy), *ways, "-o", "json")
    contenders = json.loads(done.stdout)["contenders"]
    assert [(one["name"], one["landing"]) for one in contenders if one["kind"] == "policy"] == [
        ("a.yaml, directed", "directed"),
        ("a.yaml, steered", "steered"),
    ]


def test_a_recording_without_names_is_walked_through(recording: Path) -> None:
    done = run("backtest", str(recording), *NOON, "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["replay"]["pods"] == 264
    assert [one["name"] for one in document["contenders"]] == ["nobody", "default policy", "oracle"]


def test_tuning_writes_a_policy_that_is_valid(recording: Path, tmp_path: Path) -> None:
    best, page = tmp_path / "best.yaml", tmp_path / "t.html"
    given = ("--write-policy", str(best), "-o", "html", "--output-file", str(page))
    done = run("tune", str(recording), *NOON, *VARY, "--price", "5m", *given)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run("policy", "check", str(best)).returncode == 0
    assert "best.yaml" not in best.read_text()
    assert "data-trial" in page.read_text()
    assert refused("tune", str(recording), *NOON, *VARY, *given).count("--overwrite") == 1


def test_tuning_is_a_document_too() -> None:
    done = run("tune", "--example", *NOON, *VARY, "-o", "json")
    document = json.loads(done.stdout)
    assert (document["format"], document["version"], document["price_minutes"]) == ("descheduler/tuning", 1, 10)
    assert document["varied"] == [{"path": "HotNodes.thresholds.cpu", "values": ["70%", "80%"]}]
    assert len(document["trials"]) == 3
    assert document["best_policy"].startswith("# Found by")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("backtest",), "name a RECORDING"),
        (("backtest", "x.recording", "--example"), "contradict"),
        (("backtest", "--example", "--from", "yesterday"), "--from yesterday: must be a time"),
        (("backtest", "--example", "--from", "-2h", "--to", "-3h"), "is not before"),
        (("backtest", "--example", "--from", "-30d"), "a walk may begin a day later"),
        (("backtest", "--example", "--to", "2020-01-01T00:00:00Z"), "there is nothing between"),
        (("backtest", "--example", "--against", "lownode"), "--against lownode: nobody is called that"),
        (("backtest", "--example", "--startup", "soon"), "--startup soon: must be a duration"),
        (("backtest", "--example", "--policy", "/nowhere/p.yaml"), "/nowhere/p.yaml"),
        (("backtest", "--example", "--set", "HotNodes.thresholds.cpu=7"), "--set HotNodes.thresholds.cpu=7"),
        (("backtest", "--example", "--processes", "2", "--dask", "tcp://x:1"), "contradict"),
        (("tune", "--example"), "--vary"),
        (("tune", "--example", "--vary", "HotNodes.thresholds.cpu"), "must be PATH=VALUE"),
        (("tune", "--example", "--vary", "HotNode.x=1,2"), "did you mean HotNodes"),
        (("tune", "--example", *NOON, "--vary", "limits.perCycle=-3,5"), "--vary limits.perCycle=-3"),
        (("tune", "--example", *VARY, *VARY), "is varied twice"),
        (("tune", "--example", *VARY, "--price", "dear"), "--price dear: must be a duration"),
    ],
)
def test_what_cannot_be_replayed_is_one_clear_message(words: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_recording_that_is_not_there_is_named() -> None:
    assert "/nowhere/at.all" in refused("backtest", "/nowhere/at.all", code=1)
