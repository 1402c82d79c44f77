"""What a new dialect or device source would need besides its own file and its line in the list."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from descheduler.gangs import DIALECTS
from descheduler.kube.convert.annotations import KEPT_PREFIXES
from descheduler.kube.devices.sources import SOURCES


def dropped(keys: Iterable[str]) -> list[str]:
    """Annotations that no object has any more when it has been read."""
    return sorted(key for key in keys if not key.startswith(KEPT_PREFIXES))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_annotations_of_dialects_are_kept_when_pods_are_read(dialect: object) -> None:
    assert not dropped(getattr(dialect, "annotations", ()))


def test_annotations_of_device_sources_are_kept_when_pods_are_read() -> None:
    assert not dropped(key for source in SOURCES for key in source.annotations)
    assert dropped(["nobody.example/knows-it"])
