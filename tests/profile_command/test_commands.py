"""`descheduler profile` as a user types it."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from builders import NOW
from controlplane.browser import Browser
from descheduler.cli.commands.profile.explain import found
from descheduler.example.example import example
from descheduler.kube.recording.files import write_recording
from descheduler.model.errors import UsageError
from descheduler.model.workloads import WorkloadKey
from descheduler.report.profiles.document import profile_document
from descheduler.report.profiles.page import to_html
from descheduler.report.profiles.table import render_explanation
from descheduler_profiling import export, export_files
from descheduler_profiling.build import build
from descheduler_profiling.explain import explain
from descheduler_profiling.history.serial import history_to_bytes
from descheduler_profiling.series import History
from histories import history, peaking

COMMAND = str(Path(sys.executable).with_name("descheduler"))
CHECKOUT = "shop/Deployment/checkout"
WEB = WorkloadKey("shop", "Deployment", "web")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, "profile", *words], capture_output=True, text=True, timeout=120)


def refused(*words: str) -> str:
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    return done.stderr


def recorded(path: Path, made: History) -> Path:
    objects: dict[str, list[Any]] = {"nodes": [], "pods": []}
    write_recording(path, objects, {made.signal: history_to_bytes(made)}, taken_at=NOW, cluster="rec")
    return path


def test_a_node_is_named_with_its_kind_and_no_namespace(tmp_path: Path) -> None:
    made = history("system_cpu", {WorkloadKey("", "Node", "n1"): peaking(0.5, 2.0, minutes_ahead=60)})
    path = recorded(tmp_path / "made", made)
    done = run("explain", "Node/n1", "--signal", "system_cpu", "--recording", str(path))
    assert done.returncode == 0, done.stderr
    assert "Node/n1" in done.stdout


def test_a_profile_is_explained_to_people() -> None:
    done = run("explain", CHECKOUT, "--example")
    assert done.returncode == 0, done.stderr
    for message in (CHECKOUT, "Confidence 1.00", "Tried at 8 past instants", "VPA histogram", "Koordinator", "p99"):
        assert message in done.stdout
    assert "\x1b[" not in done.stdout


def test_the_json_holds_history_forecast_and_trials() -> None:
    done = run("explain", CHECKOUT, "--example", "-o", "json")
    document = json.loads(done.stdout)
    assert (document["format"], document["version"]) == ("descheduler-profile-explanation", 1)
    made = example().histories["cpu"]
    row = made.keys.index(WorkloadKey("shop", "Deployment", "checkout"))
    np.testing.assert_allclose(document["history"], made.values[row], rtol=1e-5)
    assert np.array(document["curves"]).shape == (3, 288)
    ours = next(rule for rule in document["rules"] if rule["ours"])
    others = [rule for rule in document["rules"] if not rule["ours"]]
    assert ours["dayLoss"][1] < min(rule["dayLoss"][1] for rule in others)
    assert document["usage"][0][1] < document["usage"][1][1] <= document["usage"][2][1]


def test_the_same_input_is_explained_the_same() -> None:
    assert run("explain", CHECKOUT, "--example", "-o", "html").stdout == (
        run("explain", CHECKOUT, "--example", "-o", "html").stdout
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("shop/Deployment/chekout", "--example"), f"did you mean {CHECKOUT}"),
        (("shop/StatefulSet/checkout", "--example"), f"did you mean {CHECKOUT}"),
        (("zzz", "--example"), "no workload zzz has history; give namespace/Kind/name"),
        ((CHECKOUT, "--example", "--signal", "gpus"), "no history of gpus is recorded (did you mean gpu?)"),
        ((CHECKOUT, "--example", "--prometheus", "http://x"), "leave --prometheus out"),
    ],
)
def test_what_cannot_be_explained_is_said_with_what_was_meant(words: tuple[str, ...], message: str) -> None:
    assert message in refused("explain", *words)


def test_less_than_the_whole_name_will_do_where_one_fits() -> None:
    keys = [WEB, WorkloadKey("shop", "StatefulSet", "db"), WorkloadKey("lab", "StatefulSet", "db")]
    assert found("shop/deployment/web", keys) == WEB
    assert found("shop/web", keys) == found("web", keys) == WEB
    with pytest.raises(UsageError, match="db may be shop/StatefulSet/db or lab/StatefulSet/db"):
        found("db", keys)


def test_profiles_are_listed_by_namespace_in_every_form() -> None:
    table = run("show", "--example", "-n", "shop")
    assert table.returncode == 0
    assert CHECKOUT in table.stdout
    assert "search/" not in table.stdout
    assert run("show", "--example", "-n", "shop", "-o", "wide").stdout.count("p95") == 5
    doc = export.from_json(run("show", "--example", "-n", "shop", "-o", "json").stdout.encode())
    assert {one.namespace for one in doc.signals[0].workloads} == {"shop"}
    lines = list(csv.DictReader(io.StringIO(run("show", "--example", "-n", "shop", "-o", "csv").stdout)))
    assert len(lines) == 12 * len(doc.signals[0].workloads)
    assert "did you mean shop?" in refused("show", "--example", "-n", "shp")


@pytest.mark.parametrize("suffix", [".json", ".parquet", ".csv"])
def test_profiles_are_exported_and_read_back(tmp_path: Path, suffix: str) -> None:
    to = tmp_path / f"profiles{suffix}"
    done = run("export", "--example", "--signal", "cpu", "--signal", "gpu", "-o", str(to))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    if suffix == ".csv":
        assert to.read_text().startswith("namespace,kind,name,signal")
        return
    doc = export_files.read(to)
    assert [signal.signal for signal in doc.signals] == ["cpu", "gpu"]
    assert [len(signal.workloads) for signal in doc.signals] == [31, 6]
    assert doc.created == example().taken_at


def test_a_history_that_is_not_whole_is_shown_and_ends_with_1(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r.zip", history("cpu", {WEB: 1.0}, complete=False))
    for words in (("explain", str(WEB)), ("show",), ("export", "-o", str(tmp_path / "p.json"))):
        done = run(*words, "--recording", str(path), *(("--signal", "cpu") if words[0] != "explain" else ()))
        assert done.returncode == 1
        assert "error: history of cpu: 2 of 7 days are missing" in done.stderr
    assert "nobody acts on it" in run("explain", str(WEB), "--recording", str(path)).stdout


def test_a_workload_without_a_profile_ends_with_1_and_says_why(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r.zip", history("cpu", {WEB: np.full(2016, np.nan, np.float32)}))
    for form in ("table", "json", "html"):
        done = run("explain", str(WEB), "--recording", str(path), "-o", form)
        assert done.returncode == 1
        assert "error: there is no profile of cpu of shop/Deployment/web" in done.stderr
        assert done.stdout


def document(signal: str = "cpu", scale: float = 1.0) -> Any:
    made = history(signal, {WEB: scale * peaking(0.5, 4.0, 300), WorkloadKey("a[b]", "Pod", "[red]x"): scale})
    profiles = build(made)
    return profile_document(explain(made, profiles, profiles.row(WEB)), "c")


def test_on_a_terminal_there_is_a_plot() -> None:
    text = io.StringIO()
    render_explanation(document("memory", 2.0**30), Console(file=text, force_terminal=True, width=100))
    assert re.search(r"[\u2801-\u28ff]{3}", text.getvalue())
    assert "4.08 GiB" in text.getvalue()
    assert "now " in text.getvalue()
    plain = io.StringIO()
    render_explanation(document(), Console(file=plain, width=100))
    assert not re.search(r"[\u2801-\u28ff]", plain.getvalue())


def test_the_page_loads_nothing_and_shows_the_document(browser: Browser, tmp_path: Path) -> None:
    doc = document()
    page = tmp_path / "profile.html"
    page.write_text(to_html(doc))
    browser.open(page)
    assert browser.console_errors() == []
    assert not re.findall(r'(?:src|href)="(?!data:)|url\((?!data:)', page.read_text())
    shown = browser.run("return [...document.querySelectorAll('data')].map(d => [d.dataset.key, parseFloat(d.value)])")
    assert dict(shown) == {f"usage.{q}.{b}": doc.usage[q][b] for q in range(3) for b in range(4)}
    assert len(browser.texts("svg")) == 2
    assert "Tried at 8 past instants" in browser.text()
    assert page.stat().st_size < 300_000


def test_help_is_quick_to_load() -> None:
    code = "import sys, descheduler.cli.main; print([m for m in ('numpy', 'scipy', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"
