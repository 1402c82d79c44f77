"""The tables of docs/strategies.md name every argument, with the default that it has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from descheduler.contract import available, load
from strategies.needed import NEEDED, fewest_arguments

TEXT = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def documented(strategy: str) -> dict[str, str]:
    """Arguments with the cell of their default."""
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) ?\| .+ \|$", SECTIONS[strategy], re.MULTILINE))


@pytest.mark.parametrize("strategy", sorted(available()))
def test_every_argument_is_documented_with_its_default(strategy: str) -> None:
    model, rows = load(strategy).Args, documented(strategy)
    assert set(rows) == {field.alias for field in model.model_fields.values()}
    written = {name: yaml.safe_load(cell.strip("`")) for name, cell in rows.items() if cell.startswith("`")}
    least = fewest_arguments(strategy)
    assert model.model_validate_json(json.dumps({**NEEDED.get(strategy, {}), **written})) == least
    plain = least.model_dump(by_alias=True)
    unwritten = {name: plain[name] for name in rows.keys() - written.keys() - NEEDED.get(strategy, {}).keys()}
    assert not [name for name, value in unwritten.items() if value and not isinstance(value, dict)]
