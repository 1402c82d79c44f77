"""Whether plans are carried out: the safest of all who have a say decides, and the answer names it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.stages import POLICY, Stage, value
from descheduler.controller.switch import PolicyMap, Switch
from descheduler.model.errors import ClusterError
from descheduler.policy import default_policy, load_policy
from execution.fakes import Scripted, refusal
from execution.plans import action, move, plan


def policy_map(data: dict[str, str], annotations: dict[str, str] | None = None) -> PolicyMap:
    found = {"metadata": {"name": "policy", "annotations": annotations or {}}, "data": data}
    return PolicyMap(Scripted(lambda *_: json.dumps(found).encode()), "descheduler", "policy")


def switch(tmp_path: Path, flag: str | None, written: str, config_map: PolicyMap | None = None) -> Switch:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY + written)
    return Switch(flag, path, config_map)


@pytest.mark.parametrize(
    ("flag", "written", "active", "says"),
    [
        (None, "", False, "neither --mode nor the policy says active"),
        ("active", "", True, "by --mode"),
        (None, "mode: active\n", True, "by the policy"),
        ("active", "mode: active\n", True, "by --mode and the policy"),
        ("active", "mode: dry-run\n", False, "the policy says dry-run, though --mode says active"),
        ("dry-run", "mode: active\n", False, "the right to evict (overlay active)"),
        ("dry-run", "", False, "--mode says dry-run"),
    ],
)
def test_the_safer_of_flag_and_policy_counts(
    tmp_path: Path, flag: str | None, written: str, active: bool, says: str
) -> None:
    stance = switch(tmp_path, flag, written).look(load_policy(POLICY + written))
    assert (stance.active, says in stance.text) == (active, True), stance.text


def test_without_a_policy_file_the_flag_decides() -> None:
    assert Switch("active").look(default_policy()).active
    assert not Switch(None).look(default_policy()).active


@pytest.mark.parametrize(
    "now", ["mode: dry-run\n", "mode: dry-run\nstrategy: []\n", "mode: off\n", "mode: [\n", "- a\n"]
)
def test_the_file_as_it_is_now_can_switch_off_though_it_is_not_in_force_yet_or_not_valid(
    tmp_path: Path, now: str
) -> None:
    in_force = load_policy(POLICY + "mode: active\n")
    found = switch(tmp_path, "active", now)
    assert found.path is not None
    if now.startswith(("- ", "mode: [")):
        found.path.write_text(now)
    assert not found.look(in_force).active


def test_a_file_that_is_wrong_elsewhere_goes_on_by_the_policy_in_force(tmp_path: Path) -> None:
    in_force = load_policy(POLICY + "mode: active\n")
    assert switch(tmp_path, None, "mode: active\nintervall: 3\n").look(in_force).active


@pytest.mark.parametrize(
    ("data", "annotations", "active"),
    [
        ({"policy.yaml": "mode: active"}, {}, True),
        ({"policy.yaml": "interval: 1m"}, {"rebalance.descheduler.dev/paused": "false"}, True),
        ({"other.yaml": "mode: dry-run"}, {}, True),
        ({"policy.yaml": "mode: dry-run"}, {}, False),
        ({"policy.yaml": "mode: active"}, {"rebalance.descheduler.dev/paused": "true"}, False),
        ({"policy.yaml": "mode: active"}, {"rebalance.descheduler.dev/paused": ""}, False),
        ({"policy.yaml": "{"}, {}, False),
    ],
)
def test_the_config_map_counts_before_the_file_follows_it(
    tmp_path: Path, data: dict[str, str], annotations: dict[str, str], active: bool
) -> None:
    in_force = load_policy(POLICY + "mode: active\n")
    stance = switch(tmp_path, None, "mode: active\n", policy_map(data, annotations)).look(in_force)
    assert stance.active is active
    assert active or "ConfigMap descheduler/policy" in stance.text


@pytest.mark.parametrize("answer", [refusal(403), refusal(404), refusal(500)])
def test_a_config_map_that_cannot_be_read_counts_as_off(tmp_path: Path, answer: ClusterError) -> None:
    unread = PolicyMap(Scripted(lambda *_: answer), "descheduler", "policy")
    in_force = load_policy(POLICY + "mode: active\n")
    assert not switch(tmp_path, "active", "mode: active\n", unread).look(in_force).active


def test_a_dry_run_does_not_ask_for_the_config_map(tmp_path: Path) -> None:
    server = Scripted(lambda *_: refusal(500))
    found = switch(tmp_path, "active", "mode: dry-run\n", PolicyMap(server, "descheduler", "policy"))
    assert not found.look(load_policy(POLICY + "mode: dry-run\n")).active
    assert server.asked == []


def test_a_policy_that_says_dry_run_beats_the_flag_and_everybody_is_told_who_decided(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "policy.yaml", mode="active", plan=plan(action(move("web-1"))))
    stage.path.write_text(POLICY + "mode: dry-run\n")
    controller = stage.controller()
    assert controller.cycle() == "planned"
    assert isinstance(stage.transport, Scripted)
    assert [asked for asked in stage.transport.asked if asked[0] != "GET"] == []
    says = "dry-run: the policy says dry-run, though --mode says active"
    assert says in controller.status.ready.text
    document = controller.reports.plan("plan-1")
    assert document is not None
    assert document.mode == says
    assert value(controller.metrics, "active") == 0
