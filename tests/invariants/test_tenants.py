"""Whatever one tenant writes, what becomes of the pods of others is what it is without him."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from generated.tenants import objects_of
from generated.town import EVIL, LAST
from invariants.tenants import alone, changed
from kube.wire_objects import Json


@settings(max_examples=40, deadline=None)
@given(st.lists(objects_of(), min_size=1, max_size=8), st.sampled_from([EVIL, LAST]))
def test_what_one_tenant_writes_changes_nothing_for_the_pods_of_others(
    written: list[tuple[str, Json]], namespace: str
) -> None:
    assert not changed(written, namespace)


def test_without_him_most_pods_may_move_and_some_do() -> None:
    """Where nothing could change, nothing would be shown."""
    found = alone()
    stays = {key: why for key, why in found.items() if key.endswith("is stopped by") and why}
    assert len(stays) < 8, stays
    assert sum(key.endswith(" goes") for key in found) > 20
