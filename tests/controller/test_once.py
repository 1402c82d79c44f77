"""A single cycle for a CronJob or a shell, and what the command line says instead of the policy."""

from __future__ import annotations

import ssl
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from controller.stages import POLICY, Stage
from descheduler.controller.certificates import SelfSigned
from descheduler.controller.listener import WebServer
from descheduler.controller.metrics import Metrics
from descheduler.controller.options import RunOptions
from descheduler.controller.reload import PolicyWatch
from descheduler.controller.reports import Reports
from descheduler.controller.status import Status
from descheduler.controller.web import create_app
from descheduler.model.reasons import Blocked, Reason, Unprepared

THEIRS = "apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\nevictionFailureEventNotification: true\n"


class TestASingleCycle:
    def test_ends_with_a_plan(self, tmp_path: Path) -> None:
        stage = Stage(tmp_path / "policy.yaml")
        assert stage.controller().run_once(threading.Event())
        assert len(stage.memories) == 1

    def test_waits_for_what_is_still_being_read(self, tmp_path: Path) -> None:
        stage = Stage(tmp_path / "policy.yaml", unsynced=Unprepared(Reason.DATA_MISSING, "API server", "still reading"))
        controller = stage.controller(poll_seconds=0.0)

        class Soon(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                stage.unsynced = None
                return False

        assert controller.run_once(Soon())
        assert controller.status.paused is None

    def test_does_not_wait_for_ever(self, tmp_path: Path) -> None:
        stage = Stage(tmp_path / "policy.yaml", unsynced=Unprepared(Reason.DATA_MISSING, "API server", "no permission"))

        class Late(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                stage.time.clock.sleep(50.0)
                return False

        assert not stage.controller().run_once(Late())

    @pytest.mark.parametrize("policy", ["kind: Deployment", POLICY.replace("strategies", "strategy")])
    def test_fails_at_once_without_a_policy(self, tmp_path: Path, policy: str) -> None:
        (tmp_path / "policy.yaml").write_text(policy)
        stage = Stage(tmp_path / "policy.yaml")
        assert not stage.controller().run_once(threading.Event())
        assert not stage.memories

    def test_that_lacks_history_is_no_success(self, tmp_path: Path) -> None:
        lacking = (Blocked(Reason.DATA_MISSING, "HotNodes", "no usable history of cpu"),)
        stage = Stage(tmp_path / "policy.yaml", without_history=lacking)
        assert not stage.controller().run_once(threading.Event())


def test_what_there_is_to_say_of_the_policy_is_in_its_plans(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(THEIRS)
    controller = Stage(tmp_path / "policy.yaml").controller()
    assert controller.cycle() == "planned"
    (summary,) = controller.reports.list()
    document = controller.reports.plan(summary.id)
    assert document is not None
    assert any("evictionFailureEventNotification" in remark for remark in document.remarks)


def test_mistakes_are_let_pass_where_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(THEIRS + "maxNoOfPodsToEvictTotl: 5\n")
    strict, lenient = PolicyWatch(file, time.time), PolicyWatch(file, time.time, lenient=True)
    assert strict.poll()
    assert strict.policy is None
    assert "maxNoOfPodsToEvictTotl" in strict.problem
    assert lenient.poll()
    assert lenient.policy is not None


def test_the_command_line_comes_before_the_policy(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    watch = PolicyWatch(tmp_path / "policy.yaml", time.time, RunOptions(interval=2.5, pace=(3.0, 4)).changed)
    watch.poll()
    assert watch.policy is not None
    assert watch.policy.interval.total_seconds() == 2.5
    assert (watch.policy.acting.qps, watch.policy.acting.burst) == (3.0, 4)


def test_a_certificate_of_its_own_and_no_metrics() -> None:
    app = create_app(Status(time.monotonic), Reports(), Metrics(), lambda _: "", with_metrics=False)
    server = WebServer(app, "127.0.0.1", 0, SelfSigned())
    server.start()
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    try:
        address = f"https://127.0.0.1:{server.port}"
        with urllib.request.urlopen(f"{address}/healthz", timeout=5, context=unchecked) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            urllib.request.urlopen(f"{address}/metrics", timeout=5, context=unchecked)
        refused.value.close()
    finally:
        server.stop()
