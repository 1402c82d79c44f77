"""`plan --at`: what would have been planned at an earlier time of a recording, knowing nothing that came later."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cli.test_commands import plan_of, refused, run
from descheduler.cli.moments import moment
from descheduler.example.example import NOW, Example, example, example_policy
from descheduler.kube.recording.files import write_recording
from descheduler.kube.recording.wire_objects import cluster_objects
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.serial import history_to_bytes
from descheduler_profiling.series import History

HOUR = 3600
BACK = 3 * HOUR


def recording_of(made: Example, path: Path, histories: dict[str, History]) -> Path:
    objects = cluster_objects(made.objects, taken_at=made.taken_at, cluster=made.name)
    write_recording(path, objects, {signal: history_to_bytes(one) for signal, one in histories.items()})
    return path


def with_another_future(history: History, since: float, seed: int) -> History:
    """Noise in the place of all that was measured after `since`, of pods and workloads that nobody knew then too."""
    rng = np.random.default_rng(seed)
    times = history.start + np.arange(history.values.shape[1]) * history.step
    later = times > since
    noise = rng.uniform(0, 1.9 * np.nanmax(history.values), history.values.shape).astype(np.float32)
    noise[rng.random(noise.shape) < 0.1] = np.nan
    values = np.where(later, noise, history.values)
    born = np.where(later, noise[:1], np.nan).astype(np.float32)
    pods = (("shop", "checkout-7d9f8c-00000"), ("shop", "checkout-7d9f8c-00001"))
    return replace(
        history,
        keys=(*history.keys, WorkloadKey("zoo", "Deployment", "born-later")),
        values=np.concatenate([values, born]),
        replicas=np.append(history.replicas, np.float32(2)),
        pod_level={pod: float(rng.uniform(0.1, 9)) for pod in pods},
        pods=pods,
        recent=rng.uniform(0, 9, (2, HOUR // history.step)).astype(np.float32),
        standing_still=("general-03",),
    )


def test_a_plan_as_of_earlier_does_not_see_what_came_later(tmp_path: Path) -> None:
    """What was measured after that time is replaced by noise: the plan is the same, byte for byte. Its twin, for which
    the noise begins an hour before, is another one.
    """
    made = example()
    policy = tmp_path / "policy.yaml"
    policy.write_text(example_policy())
    plans = {}
    for name, since in (("true", NOW), ("later", NOW - BACK), ("before", NOW - BACK - HOUR)):
        histories = {
            signal: one if name == "true" else with_another_future(one, since, seed=3)
            for signal, one in made.histories.items()
        }
        recording = recording_of(made, tmp_path / f"{name}.recording", histories)
        words = ("plan", "--recording", str(recording), "--policy", str(policy), "--at", "-3h", "-o", "json")
        plans[name] = run(*words).stdout
    assert json.loads(plans["true"])["findings"]
    assert plans["later"] == plans["true"]
    assert plans["before"] != plans["true"]


def test_the_report_says_of_which_time_it_is_and_where_the_pods_are(tmp_path: Path) -> None:
    plan = plan_of("--example", "--at", "-6h")
    assert plan["created"] == NOW - 6 * HOUR
    (remark,) = plan["remarks"]
    assert remark.startswith("as of 2026-10-29 06:00:00 UTC: ")
    assert {source["state"] for source in plan["sources"]} <= {"fresh", "absent"}
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))
    for form in ("table", "html"):
        assert "pods where the recording has them" in " ".join(run("show", str(file), "-o", form).stdout.split())


@pytest.mark.parametrize("at", ["-6h", "2026-10-29T06:00:00Z", "2026-10-29T08:00:00+02:00", "-5h60m"])
def test_a_time_is_written_as_it_is_or_as_so_long_before(at: str) -> None:
    assert moment(at, NOW, "--at") == NOW - 6 * HOUR


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--example", "--at", "yesterday"), "must be a time such as"),
        (("--example", "--at", "2026-10-29"), "must be a time such as"),
        (("--example", "--at", "2026-10-29T06:00:00"), "must be a time such as"),
        (("--example", "--at", "-6x"), "must be a time such as"),
        (("--example", "--at", "2026-10-29T12:00:01Z"), "the recording ends before that, at 2026-10-29 12:00:00 UTC"),
        (("--example", "--at", "-8d"), "the recorded history begins after that, at 2026-10-22"),
        (("--at", "-6h"), "--at needs --recording or --example"),
    ],
)
def test_a_time_of_which_nothing_is_known_is_told(words: tuple[str, ...], message: str) -> None:
    assert message in refused("plan", *words)


def test_a_node_of_that_time_is_explained_as_of_it() -> None:
    done = run("explain", "node", "general-07", "--example", "--at", "-6h", "--set", "HotNodes.thresholds.cpu=5%")
    assert done.returncode == 0, done.stderr
    assert "warning: --set: strategies[0].HotNodes.thresholds.cpu: headroom 0.05 leaves nothing of 0.05" in done.stderr
