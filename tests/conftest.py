"""Real components as fixtures: a Kubernetes control plane, Prometheus, PostgreSQL, Chromium.

Nothing of them is imported before a test asks for one. Tests that use one of the fixtures get its marker:
``pytest -m "not controlplane and not prometheus and not postgresql and not browser"`` is the quick half of the suite.
With xdist each worker that comes to such a test starts a control plane of its own (3 s, 0.5 GB); ``--dist loadfile``
keeps the tests of a file, and so what they share, on one worker.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from controlplane.browser import Browser
    from controlplane.cluster import ControlPlane
    from controlplane.postgresql import PostgresServer
    from controlplane.prometheus import PrometheusServer

# No test is timed: on a busy machine an example may take as long as it needs.
settings.register_profile("descheduler", deadline=None)
settings.load_profile("descheduler")

# A test that comes to one of these fixtures, itself or through others, needs the component, and gets its marker.
_MARKERS = {
    "session_control_plane": "controlplane",
    "prometheus_server": "prometheus",
    "session_browser": "browser",
    "postgresql_server": "postgresql",
}
_MISSING = pytest.StashKey[dict[str, Any]]()
_PLANE = pytest.StashKey["ControlPlane"]()
_KEEP_LOGS = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def session_control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """The control plane behind the two fixtures below, which tests use instead."""
    _require(request, "controlplane")
    from controlplane.binaries import ensure_binaries
    from controlplane.cluster import ControlPlane

    plane = ControlPlane.start(ensure_binaries())
    request.config.stash[_PLANE] = plane
    yield plane
    plane.stop(keep_logs=request.config.stash.get(_KEEP_LOGS, False))


@pytest.fixture
def control_plane(session_control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """A real, empty Kubernetes control plane; what a test makes in it is deleted after the test."""
    yield session_control_plane
    session_control_plane.reset()


@pytest.fixture(scope="module")
def module_control_plane(session_control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The same for a module whose tests share one population; it is deleted after the last of them.

    A test of that module must not ask for ``control_plane`` too.
    """
    yield session_control_plane
    session_control_plane.reset()


@pytest.fixture(scope="module")
def prometheus_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., PrometheusServer]]:
    """Start real Prometheus servers: ``prometheus_server(data, **options)``, see ``PrometheusServer.start``.

    They run until the end of the module, so a fixture of a module can share one among its tests.
    """
    _require(request, "prometheus")
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
def postgresql_server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A real PostgreSQL; whoever asks makes a schema of his own in it."""
    _require(request, "postgresql")
    from controlplane.postgresql import PostgresServer

    server = PostgresServer.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def session_browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """The browser behind the fixture below, which tests use instead."""
    _require(request, "browser")
    from controlplane.browser import Browser

    chromium = Browser.start()
    yield chromium
    chromium.stop()


@pytest.fixture
def browser(session_browser: Browser) -> Browser:
    """A real Chromium, on an empty page and in light colours at the start of each test."""
    session_browser.open("about:blank")
    session_browser.emulate()
    return session_browser


def _require(request: pytest.FixtureRequest, component: str) -> None:
    from controlplane.components import find, give_up

    known = request.config.stash[_MISSING]
    if component not in known:
        known[component] = find(component)
    if known[component] is not None:
        give_up(known[component])


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_MISSING] = {}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test by the components it uses."""
    for fixture, marker in _MARKERS.items():
        if fixture in getattr(item, "fixturenames", ()):
            item.add_marker(marker)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the control plane before the first test's time starts to count, where somebody can see the progress."""
    if session.config.option.collectonly or not any(i.get_closest_marker("controlplane") for i in session.items):
        return
    from controlplane.components import find

    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        session.config.stash[_MISSING]["controlplane"] = find("controlplane")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the logs of the control plane if a test that uses it fails, and say where they are."""
    report = yield
    plane = item.config.stash.get(_PLANE, None)
    if report.failed and plane is not None and item.get_closest_marker("controlplane"):
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
