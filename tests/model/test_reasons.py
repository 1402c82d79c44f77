"""Every refusal can be said to people, and is documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from descheduler.model.reasons import EXPLANATION, Blocked, Reason

DOCUMENT = Path(__file__).parents[2] / "docs" / "reasons.md"


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_an_explanation_and_a_row_in_the_documentation(reason: Reason) -> None:
    assert EXPLANATION[reason]
    assert f"| `{reason.value}` | {EXPLANATION[reason]} |" in DOCUMENT.read_text()


def test_a_refusal_reads_as_a_sentence() -> None:
    blocked = Blocked(Reason.DISRUPTION_BUDGET, "shop/cart", "0 of 3 may go")
    assert str(blocked) == "its disruption budget allows no further disruption: 0 of 3 may go (shop/cart)"
