"""A plan that steers says so beforehand, in every form of the report."""

from __future__ import annotations

import json
from dataclasses import replace

from descheduler.report.html import to_html
from descheduler.report.serial import to_json
from report.plans import plan
from report.test_table import printed


def test_the_nodes_that_are_steered_away_from_are_named() -> None:
    first, *rest = plan().actions
    named = tuple(f"steered-{i}" for i in range(5))
    document = plan(actions=(replace(first, steer=named), *rest))
    assert "steers away from: steered-0, steered-1, steered-2 …" in " ".join(printed(document).split())
    page = to_html(document)
    assert "replacements are steered away from" in page
    assert all(f"<code>{name}</code>" in page for name in named)
    assert json.loads(to_json(document))["actions"][0]["steer"] == list(named)


def test_a_plan_that_does_not_steer_says_nothing_of_it() -> None:
    assert "steer" not in printed(plan())
    assert "replacements are steered away from" not in to_html(plan())
