"""What the pages tell people to type does what they say: it is run, or at least understood and what it names is there.

A command that reads a cluster reads the example in its place. Those that take long, or act, are read by the command
line as they are written, for other tests run them (tests/backtest, tests/e2e).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from descheduler.cli.main import app
from descheduler.policy.loading import load_policy
from docs.written import ROOT, Typed, blocks, typed

READ_ONLY = ("backtest", "tune", "run", "clean-up")
SOMEBODY = {"NAME": "cart-7d9f4c-00000", "NAMESPACE": "shop"}
SOURCES = {"plan", "explain", "doctor", "record", "profile"}
ELSEWHERE = ("--kubeconfig", "--prometheus", "--server", "--context")
OURS = typed("descheduler")
RUN = [one for one in OURS if one.words[1] not in READ_ONLY]
PARSED = [one for one in OURS if one.words[1] in READ_ONLY]


def test_the_pages_are_found() -> None:
    assert {one.page for one in OURS} >= {"README.md", "getting-started.md", "operations.md", "backtest.md"}
    assert {"plan", "record", "explain", "doctor", "policy", "profile", "show"} <= {one.words[1] for one in RUN}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that commands name."""
    folder = tmp_path_factory.mktemp("desk")
    runner = CliRunner()
    for name, args in {
        "policy.yaml": ["policy", "default"],
        "plan.json": ["plan", "--example", "-o", "json"],
        "after.json": ["plan", "--example", "-o", "json", "--set", "limits.perCycle=3"],
    }.items():
        made = runner.invoke(app, args)
        assert made.exit_code == 0, made.output
        (folder / name).write_text(made.stdout)
    for name, source in {
        **dict.fromkeys(("a.yaml", "b.yaml", "now.yaml", "new.yaml"), "policy.yaml"),
        **dict.fromkeys(("monday.json", "before.json"), "plan.json"),
        "tuesday.json": "after.json",
    }.items():
        (folder / name).write_text((folder / source).read_text())
    theirs = "apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\nprofiles: []\n"
    (folder / "theirs.yaml").write_text(theirs)
    recorded = runner.invoke(app, ["record", "--example", "-o", str(folder / "cluster.recording")])
    assert recorded.exit_code == 0, recorded.output
    return folder


@pytest.mark.parametrize("one", RUN, ids=str)
def test_it_is_done(desk: Path, monkeypatch: pytest.MonkeyPatch, one: Typed) -> None:
    monkeypatch.chdir(desk)
    result = CliRunner().invoke(app, _here(one))
    wanted = (0, 1, 3) if "--fail-on" in one.words or one.words[1] == "doctor" else (0,)
    assert result.exit_code in wanted, result.output


@pytest.mark.parametrize("one", PARSED, ids=str)
def test_it_is_understood(desk: Path, monkeypatch: pytest.MonkeyPatch, one: Typed) -> None:
    monkeypatch.chdir(desk)
    command = typer.main.get_command(app)
    found = command.get_command(None, one.words[1])  # type: ignore[attr-defined]
    assert found is not None
    found.make_context(one.words[1], list(one.words[2:]))


def _here(one: Typed) -> list[str]:
    """The same command with the example as its cluster, and with things that are there."""
    words = [re.sub("policy.yaml", "theirs.yaml", word) for word in one.words] if "import" in one.words else one.words
    kept: list[str] = []
    skip = False
    for word in words[1:]:
        if not skip and word not in ELSEWHERE:
            kept.append(SOMEBODY.get(word, word))
        skip = not skip and word in ELSEWHERE
    told = {"--example", "--recording", "--against", "diff"} & set(kept)
    if kept[0] in SOURCES and not told and kept[:2] not in (["plan", "diff"],):
        kept.append("--example")
    if kept[0] == "record":
        kept.append("--overwrite")
    return kept


@pytest.mark.parametrize("one", typed("make"), ids=str)
def test_each_target_is_there(one: Typed) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {word for word in one.words[1:] if "=" not in word} <= set(targets)


@pytest.mark.parametrize("one", [*typed("kubectl"), *typed("helm")], ids=str)
def test_what_is_applied_is_there(one: Typed) -> None:
    named = [word for word in one.words if word.startswith(("manifests/", "charts/"))]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(("page", "text"), list(blocks("yaml")))
def test_each_policy_on_a_page_loads(page: str, text: str) -> None:
    if "kind: DeschedulerPolicy" in text and "rebalance.descheduler.dev" in text:
        load_policy(text, page)
    else:
        list(yaml.safe_load_all(text))
