"""The site is built of the pages, and every link between them, to a heading too, leads somewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from docs.written import PAGES, ROOT


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", ROOT / "docs" / "site", source, out]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_link_leads_somewhere(tmp_path: Path) -> None:
    done = build(ROOT, tmp_path / "site")
    assert (done.returncode, done.stderr) == (0, "")
    made = {page.relative_to(ROOT).with_suffix(".html") for page in PAGES}
    assert {page for page in made if not (tmp_path / "site" / page).exists()} == set()


def test_a_link_that_leads_nowhere_would_be_found(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "docs" / "site").mkdir(parents=True)
    (source / "docs" / "site" / "index.md").write_text("# Index\n\n```{toctree}\n../page\n```\n")
    (source / "docs" / "page.md").write_text("# Page\n\n[there](page.md#page) and [nowhere](page.md#not-there)\n")
    done = build(source, tmp_path / "site")
    assert done.returncode != 0
    assert "not-there" in done.stderr
    assert "'page'" not in done.stderr
