"""Draws docs/images/report.png: the top of the report of the embedded example, as Chromium shows it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import _common  # noqa: F401  (puts the product on the path)

from controlplane.browser import Browser

OUT = Path(__file__).parents[1] / "docs" / "images" / "report.png"
WIDTH, HEIGHT = 1180, 1180


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        plan = [Path(sys.executable).with_name("descheduler"), "plan", "--example", "-o", "html"]
        page.write_bytes(subprocess.run(plan, check=True, capture_output=True).stdout)
        browser = Browser.start()
        try:
            browser.resize(WIDTH, HEIGHT)
            browser.open(page)
            browser.screenshot(OUT, whole=False)
        finally:
            browser.stop()
    print(OUT)


if __name__ == "__main__":
    main()
