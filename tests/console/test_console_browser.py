"""The console in a real Chromium, over a week that a controller lived through."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Semaphore
from typing import TYPE_CHECKING

import pytest

from archive.cycles import HOUR, cycle, moving
from controller.stages import Stage
from descheduler.archive.keeper import Keeper
from descheduler.archive.reading import Reader
from descheduler.archive.sqlite_file import FILE, SqliteFile
from descheduler.console.answering import Console
from descheduler.controller.listener import WebServer
from descheduler.controller.loop import Controller
from descheduler.controller.web import create_app
from descheduler.model.reasons import Reason

if TYPE_CHECKING:
    from controlplane.browser import Browser

CYCLES = 7 * 24 // 4


class Week:
    """A controller that acts every four hours, on a hot node every other time, and its pages."""

    def __init__(self, folder: Path) -> None:
        self._stage = Stage(folder / "policy.yaml", mode="active")
        self._told = Semaphore(0)
        self.keeper = Keeper(SqliteFile(folder / FILE), lambda _: self._told.release())
        self.controller: Controller = self._stage.controller(archive=self.keeper)
        self._hour = 0
        console = Console(Reader(SqliteFile(folder / FILE)), lambda: self.controller.status.ready.text)
        site = self.controller
        app = create_app(site.status, site.reports, site.metrics, lambda d: f"<title>{d.id}</title>", None, console)
        self.server = WebServer(app, "127.0.0.1", 0)

    def go_on(self) -> None:
        """Live through one more cycle."""
        hot = self._hour % 2
        actions = (moving("web-1"),) if hot else ()
        now = self._stage.time.clock.wall()
        self._stage.plan = cycle(*actions, at=now, name=f"plan-{self._hour:03}", hot=hot)
        self.controller.cycle()
        while self._told.acquire(timeout=0.1):  # hours go by faster than a disk writes
            pass
        self._hour += 1
        self._stage.time.pass_(4 * HOUR)


@pytest.fixture
def week(tmp_path: Path) -> Iterator[Week]:
    week = Week(tmp_path)
    for _ in range(CYCLES):
        week.go_on()
    week.server.start()
    yield week
    week.server.stop()
    week.keeper.stop()
    assert not [t for t in threading.enumerate() if t.name == "archive" and t.is_alive()]


def test_a_reader_walks_from_the_week_to_a_node_and_sees_what_is_new(browser: Browser, week: Week) -> None:
    home = f"http://127.0.0.1:{week.server.port}"
    browser.open(f"{home}/history/")
    assert len(browser.driver.find_elements("css selector", "#cycles tbody tr")) == CYCLES
    assert browser.driver.find_elements("css selector", ".hours rect.acted")
    assert browser.console_errors() == []

    _click(browser, "plan-041")
    assert "1 evicted" in browser.text(".verdict")
    _click(browser, "default/ReplicaSet/web")
    assert browser.text("h1") == "default/ReplicaSet/web"
    assert len(browser.driver.find_elements("css selector", "#moves tbody tr")) > 1
    _click(browser, "n1")
    assert browser.text("h1") == "n1"
    assert browser.driver.find_elements("css selector", "#findings tbody tr")
    for page, expected in (("Refusals", Reason.NO_GAIN.value), ("Policies", "in force since")):
        _click(browser, page)
        assert expected in browser.text("main")
    browser.driver.find_element("css selector", "input[name=q]").send_keys("plan-04\n")
    _until(browser, "document.querySelectorAll('#found li').length === 2")
    assert browser.console_errors() == []

    _click(browser, "Timeline")
    week.go_on()
    _until(browser, f"document.querySelector('#cycles tbody').textContent.includes('plan-{CYCLES:03}')")
    assert browser.text("[data-live]") == "Up to date."
    assert browser.console_errors() == []


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_of_the_page(browser: Browser, week: Week, width: int, tmp_path: Path) -> None:
    browser.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    try:
        for path in ("/history/", "/history/plans/plan-041", "/history/refusals", "/history/policies"):
            browser.open(f"http://127.0.0.1:{week.server.port}{path}")
            assert browser.run("return document.documentElement.scrollWidth") <= width
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def _click(browser: Browser, text: str) -> None:
    """By script, for the page is still scrolling to what a mouse would have to hit."""
    browser.run("arguments[0].click()", browser.driver.find_element("link text", text))


def _until(browser: Browser, condition: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser.driver, 20).until(lambda driver: driver.execute_script(f"return {condition}"))
