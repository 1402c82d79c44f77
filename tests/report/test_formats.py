"""A plan in every format that is registered; one more is a function and its line."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest
import yaml

from descheduler.model.plan import PlanDocument
from descheduler.report import formats
from report.plans import empty_plan, plan


def test_every_format_writes_every_plan() -> None:
    for name in formats.FORMATS:
        assert formats.written(plan(), name), name
        assert formats.written(empty_plan(), name) != formats.written(plan(), name), name


def test_data_formats_say_the_same() -> None:
    assert yaml.safe_load(formats.written(plan(), "yaml")) == json.loads(formats.written(plan(), "json"))


def titles(document: PlanDocument) -> str:
    return "".join(f"* {finding.id}\n" for finding in document.findings)


def test_one_more_format_is_a_function_and_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    more = MappingProxyType({**formats.FORMATS, "titles": f"{__name__}:titles"})
    monkeypatch.setattr(formats, "FORMATS", more)
    assert formats.written(plan(), "titles").decode() == titles(plan())
