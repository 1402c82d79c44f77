"""Chromium without a window, driven through its own driver."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final, Self

from controlplane.missing import MissingComponentError

COMPONENT: Final = "browser"
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_QUIET: Final = (
    "--headless=new",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
    "--safebrowsing-disable-auto-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def find_programs() -> tuple[str, str]:
    """Paths of the browser and of its driver.

    Raises:
        MissingComponentError: one of them, or the selenium package, is not installed.
    """
    browser = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        absent = [name for name, path in (("chromium", browser), ("chromedriver", driver)) if path is None]
        raise MissingComponentError(
            COMPONENT, f"no `{'` and no `'.join(absent)}` on PATH (Debian packages: chromium, chromium-driver)"
        )
    try:
        import selenium  # noqa: F401
    except ImportError:
        raise MissingComponentError(COMPONENT, "the Python package selenium is not installed") from None
    return browser, driver


class Browser:
    """A running Chromium with one page open.

    Attributes:
        driver: the selenium WebDriver, for whatever this class has no word for.
    """

    def __init__(self, driver: Any, profile: Path) -> None:
        self.driver = driver
        self._profile = profile

    @classmethod
    def start(cls, *, width: int = 1280, height: int = 900) -> Self:
        """Start it with an empty profile of its own and no reach beyond loopback.

        Raises:
            MissingComponentError: no Chromium or no driver.
        """
        browser, chromedriver = find_programs()
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        profile = Path(tempfile.mkdtemp(prefix="chromium-"))
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        own = [f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        for argument in (*_QUIET, *own, *(["--no-sandbox"] if os.geteuid() == 0 else [])):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        try:
            driver = webdriver.Chrome(options=options, service=Service(executable_path=chromedriver))
        except BaseException:
            shutil.rmtree(profile, ignore_errors=True)
            raise
        driver.set_page_load_timeout(30)
        return cls(driver, profile)

    def open(self, page: str | Path) -> None:
        """Load a URL or a local file, forgetting what earlier pages wrote to the console."""
        self.driver.get_log("browser")
        self.driver.get(page.resolve().as_uri() if isinstance(page, Path) else page)

    def console(self) -> list[str]:
        """What the page wrote to the console since it was opened or since the last call: "LEVEL message" each.

        Failed loads and Content-Security-Policy violations are in it too.
        """
        return [f"{entry['level']} {entry['message']}" for entry in self.driver.get_log("browser")]

    def console_errors(self) -> list[str]:
        """The errors and warnings among ``console()``."""
        return [line for line in self.console() if line.startswith(("SEVERE", "WARNING"))]

    def texts(self, css: str) -> list[str]:
        """Visible text of every element that a CSS selector finds."""
        return [str(element.text) for element in self.driver.find_elements("css selector", css)]

    def text(self, css: str = "body") -> str:
        """Visible text of the first element that a CSS selector finds.

        Raises:
            selenium.common.exceptions.NoSuchElementException: it finds none.
        """
        return str(self.driver.find_element("css selector", css).text)

    def run(self, script: str, *arguments: object) -> Any:
        """Run JavaScript in the page; what it returns."""
        return self.driver.execute_script(script, *arguments)

    def barriers(self) -> list[str]:
        """What axe-core finds against WCAG 2.1 A and AA: the rule and the element, each in a line.

        Raises:
            MissingComponentError: the package that has axe-core is not installed.
        """
        try:
            from axe_core_python.base import AXE_SCRIPT
        except ImportError:
            raise MissingComponentError(COMPONENT, "the Python package axe-core-python is not installed") from None
        self.run(AXE_SCRIPT)
        found = self.driver.execute_async_script(
            "const done = arguments[0]; const levels = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];"
            "axe.run({runOnly: levels}).then(found => done(found.violations.flatMap(rule => rule.nodes.map("
            "node => `${rule.id}: ${node.html.slice(0, 120)} ${node.any.map(one => one.message).join('; ')}`))))"
        )
        return [str(line) for line in found]

    def resize(self, width: int, height: int = 900) -> None:
        """Show the page in a window as wide as a phone's too, narrower than a real window can be."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def emulate(self, *, dark: bool = False, print_media: bool = False) -> None:
        """Show the page as for a reader who prefers dark colours, or as on paper."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": "print" if print_media else "", "features": features}
        )

    def screenshot(self, path: Path, *, whole: bool = True) -> Path:
        """Write the page, with `whole` beyond the window too, as a PNG file."""
        how = {"format": "png", "captureBeyondViewport": whole}
        path.write_bytes(base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", how)["data"]))
        return path

    def stop(self) -> None:
        """Close the browser and its driver and remove the profile."""
        try:
            self.driver.quit()
        finally:
            shutil.rmtree(self._profile, ignore_errors=True)
