"""The page for those who come: its policies are what `policy import` makes of them, its ids are those that are used."""

from __future__ import annotations

import re
from pathlib import Path

from descheduler.policy import load_policy, written_policy
from descheduler.policy.v1alpha2 import differences
from descheduler.policy.writing import policy_yaml

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "from-sigs-descheduler.md").read_text(encoding="utf-8")


def test_the_policies_of_the_page_are_imported_as_it_says() -> None:
    pairs = re.findall(r"```yaml\n(apiVersion: descheduler/.*?)```\n\nbecomes\n\n```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(pairs) == 3
    for before, after in pairs:
        written = written_policy(before)
        assert policy_yaml(written.policy, notes=written.differs) == after
        assert load_policy(after) == written.policy


def test_every_difference_that_is_named_is_explained_there() -> None:
    explained = re.findall(r"^\| `(D-[a-z-]+)` \| .+ \|$", PAGE, re.MULTILINE)
    assert len(explained) == len(set(explained))
    source = Path(differences.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r"\bD-[a-z]+(?:-[a-z]+)*\b", source)) <= set(explained)


def test_the_readme_leads_to_it() -> None:
    assert "docs/from-sigs-descheduler.md" in (ROOT / "README.md").read_text(encoding="utf-8")
