"""A plan in every format that is registered; one more is a function and its line."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from descheduler.report import formats
from report.plans import empty_plan, plan


def test_every_format_writes_every_plan() -> None:
    for name in formats.FORMATS:
        assert formats.written(plan(), name), name
        assert formats.written(empty_plan(), name) != formats.written(plan(), name), name


def test_data_formats_say_the_same() -> None:
    assert yaml.safe_load(formats.written(plan(), "yaml")) == json.loads(formats.written(plan(), "json"))


def guide() -> str:
    """The example of CONTRIBUTING, as it stands there."""
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return text.partition("## How to add a report format")[2].partition("```python\n")[2].partition("```")[0]


def test_one_more_format_is_a_function_and_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "format_of_the_guide.py").write_text(guide(), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    more = {**formats.FORMATS, "moves": "format_of_the_guide:to_moves"}
    monkeypatch.setattr(formats, "FORMATS", MappingProxyType(more))
    lines = formats.written(plan(), "moves").decode().splitlines()
    moved = [pod for action in plan().actions for pod in action.pods]
    assert lines == [f"{pod.namespace}/{pod.pod} {pod.source} {pod.destination}" for pod in moved]
