"""Real components as fixtures: a Kubernetes control plane, Prometheus, Chromium.

Nothing of them is imported before a test asks for one. Tests that use one of the fixtures get its marker:
``pytest -m "not controlplane and not prometheus and not browser"`` is the quick half of the suite. With xdist each
worker that comes to such a test starts a control plane of its own (3 s, 0.5 GB); ``--dist loadfile`` keeps the tests
of a file, and so what they share, on one worker.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from controlplane.browser import Browser
    from controlplane.cluster import ControlPlane
    from controlplane.prometheus import PrometheusServer

_FIXTURE_MARKERS = {"control_plane": "controlplane", "prometheus_server": "prometheus", "browser": "browser"}
_MISSING = pytest.StashKey[dict[str, Any]]()
_KEEP_LOGS = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def _control_plane_of_session(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    _require(request, "control_plane")
    from controlplane.binaries import ensure_binaries
    from controlplane.cluster import ControlPlane

    plane = ControlPlane.start(ensure_binaries())
    yield plane
    plane.stop(keep_logs=request.config.stash.get(_KEEP_LOGS, False))


@pytest.fixture
def control_plane(_control_plane_of_session: ControlPlane) -> Iterator[ControlPlane]:
    """A real, empty Kubernetes control plane; what a test makes in it is deleted after the test."""
    yield _control_plane_of_session
    _control_plane_of_session.reset()


@pytest.fixture
def prometheus_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., PrometheusServer]]:
    """Start real Prometheus servers: ``prometheus_server(data, **options)``, see ``PrometheusServer.start``."""
    _require(request, "prometheus_server")
    from controlplane.prometheus import PrometheusServer

    started: list[PrometheusServer] = []

    def start(data: Any = "# EOF\n", **options: Any) -> PrometheusServer:
        server = PrometheusServer.start(data, tmp_path_factory.mktemp("prometheus"), **options)
        started.append(server)
        return server

    yield start
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def _browser_of_session(request: pytest.FixtureRequest) -> Iterator[Browser]:
    _require(request, "browser")
    from controlplane.browser import Browser

    chromium = Browser.start()
    yield chromium
    chromium.stop()


@pytest.fixture
def browser(_browser_of_session: Browser) -> Browser:
    """A real Chromium, on an empty page and in light colours at the start of each test."""
    _browser_of_session.open("about:blank")
    _browser_of_session.emulate()
    return _browser_of_session


def _require(request: pytest.FixtureRequest, fixture: str) -> None:
    from controlplane.components import find, give_up

    known = request.config.stash.setdefault(_MISSING, {})
    if fixture not in known:
        known[fixture] = find(fixture)
    if known[fixture] is not None:
        give_up(known[fixture])


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_MISSING] = {}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test by the components it uses."""
    for name, marker in _FIXTURE_MARKERS.items():
        if name in getattr(item, "fixturenames", ()):
            item.add_marker(marker)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the control plane before the first test's time starts to count, where somebody can see the progress."""
    if session.config.option.collectonly or not any(
        "control_plane" in getattr(i, "fixturenames", ()) for i in session.items
    ):
        return
    from controlplane.components import find

    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        session.config.stash[_MISSING]["control_plane"] = find("control_plane")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the logs of the control plane if a test that uses it fails, and say where they are."""
    report = yield
    plane = getattr(item, "funcargs", {}).get("control_plane")
    if report.failed and plane is not None:
        item.config.stash[_KEEP_LOGS] = True
        report.sections.append(("control plane", f"logs are kept in {plane.directory}"))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List the real components that were missing, why, and what was skipped for it."""
    skipped = [
        (report.nodeid, str(report.longrepr[2]))
        for report in terminalreporter.stats.get("skipped", ())
        if isinstance(report.longrepr, tuple)
    ]
    if not skipped:
        return
    from controlplane.components import summarize

    lines = summarize(skipped)
    if lines:
        terminalreporter.section("real components missing", yellow=True)
        for line in lines:
            terminalreporter.line(line)
