"""The command line of the Kubernetes SIG's descheduler: its flags in every way that Go's pflag takes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.test_commands import refused, run
from descheduler.apiwrite.lease import Timing
from descheduler.cli.commands.run import sigs_options
from descheduler.cli.sigs_flags import is_theirs, read_flags
from descheduler.controller.run import RunOptions
from descheduler.model.errors import UsageError
from descheduler.policy import Policy


def options(*words: str) -> RunOptions:
    return sigs_options(read_flags(["--policy-config-file", "policy.yaml", *words]))


@pytest.mark.parametrize("words", [("-v", "4"), ("-v=4",), ("-v4",), ("--v", "4"), ("--v=4",)])
def test_a_value_stands_behind_its_flag_or_in_it(words: tuple[str, ...]) -> None:
    assert read_flags(words).values == {"v": "4"}


@pytest.mark.parametrize(
    ("words", "on"),
    [((), False), (("--dry-run",), True), (("--dry-run=true",), True), (("--dry-run=False",), False)],
)
def test_booleans_need_no_value(words: tuple[str, ...], on: bool) -> None:
    assert read_flags(words).on("dry-run") is on


def test_it_acts_in_one_cycle_unless_told_otherwise() -> None:
    once = options()
    assert (once.mode, once.once, once.leader_elect, once.policy) == ("active", True, False, Path("policy.yaml"))
    assert (once.port, once.self_signed) == (10258, True)
    dry = options("--dry-run", "--descheduling-interval", "5m")
    assert (dry.mode, dry.once, dry.interval) == ("dry-run", False, 300.0)
    assert options("--descheduling-interval=0").once


def test_what_it_says_of_time_and_pace_comes_before_the_policy() -> None:
    given = options("--descheduling-interval=100ms", "--client-connection-qps=7", "--client-connection-burst", "9")
    policy = given.changed(Policy())
    assert policy.interval.total_seconds() == 0.1
    assert (policy.acting.qps, policy.acting.burst) == (7.0, 9)
    assert options().changed(Policy()) == Policy()


def test_leaders_are_elected_as_asked() -> None:
    given = options("--descheduling-interval=5m", "--leader-elect", "--leader-elect-lease-duration=15s")
    assert given.leader_elect
    assert given.lease_timing == Timing(lease=15.0, renew_deadline=107.0, retry=26.0)
    dry = options("--descheduling-interval=5m", "--leader-elect", "--dry-run")
    assert not dry.leader_elect  # who changes nothing needs no lease, as there
    with pytest.raises(UsageError, match="--leader-elect needs --descheduling-interval"):
        options("--leader-elect")


def test_the_two_names_of_the_kubeconfig() -> None:
    assert options("--kubeconfig", "a").kubeconfig == Path("a")
    assert options("--kubeconfig", "a", "--client-connection-kubeconfig", "b").kubeconfig == Path("b")
    assert options().kubeconfig is None


def test_flags_without_a_meaning_are_taken_with_their_values_and_told() -> None:
    flags = read_flags(
        ["--otel-collector-endpoint", "host:4317", "--enable-http2", "--feature-gates=A=true", "--dry-run"]
    )
    assert flags.values == {"dry-run": "true"}
    assert flags.idle == ("--otel-collector-endpoint", "--enable-http2", "--feature-gates")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--policy-config-fil", "x"), "did you mean policy-config-file?"),
        (("--v",), "--v needs a value"),
        (("--dry-run", "false"), "false: no argument is expected"),
        (("--dry-run=perhaps",), "--dry-run is true or false, not perhaps"),
        (("--descheduling-interval", "5"), "--descheduling-interval 5: must be a duration"),
        (("--secure-port", "70000"), "--secure-port 70000: must be a number from 0 to 65535"),
        (("--client-connection-qps=x",), "--client-connection-qps x: must be a number"),
    ],
)
def test_mistakes_are_told(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(*words)
    assert message in str(caught.value)


def test_a_policy_must_be_named() -> None:
    assert refused("--dry-run") == "error: --policy-config-file is required\n"
    assert "--logging-format is text or json" in refused("--logging-format", "xml")


def test_subcommands_and_our_own_options_are_not_theirs() -> None:
    assert not is_theirs(["plan", "--policy-config-file", "x"])
    assert not is_theirs([])
    assert not is_theirs(["--help"])
    assert run("--help").returncode == 0


def test_a_policy_of_theirs_is_checked_imported_and_planned_with(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs.yaml", tmp_path / "ours.yaml"
    theirs.write_text(
        "apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\nmaxNoOfPodsToEvictTotl: 5\nprofiles:\n"
        "- {name: p, pluginConfig: [{name: RemoveFailedPods}], plugins: {deschedule: {enabled: [RemoveFailedPods]}}}\n"
    )
    assert f"{theirs}:3:1: maxNoOfPodsToEvictTotl: is not a known key" in refused("policy", "check", str(theirs))
    checked = run("policy", "check", "--policy-config-file", str(theirs), "--lenient")
    assert checked.returncode == 0
    assert "strategies RemoveFailedPods" in checked.stdout
    assert "warning: " in checked.stdout
    imported = run("policy", "import", str(theirs), "-o", str(ours), "--lenient")
    assert imported.returncode == 0, imported.stderr
    assert "not a known key" in imported.stderr
    assert run("policy", "check", str(ours)).returncode == 0
    assert "is a policy of this program already" in refused("policy", "import", str(ours))
    planned = run("plan", "--example", "--policy", str(theirs), "--lenient")
    assert planned.returncode == 0, planned.stderr
    assert "warning: " in planned.stderr
