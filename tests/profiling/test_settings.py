"""Settings that cannot work are refused where they are made."""

from __future__ import annotations

import pytest

from descheduler_profiling.settings import ProfileSettings


@pytest.mark.parametrize("horizons", [(), (3600, 900), (-1, 86400), (900, 3600), (900, 172800)])
def test_horizons_must_rise_to_a_day(horizons: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="horizon"):
        ProfileSettings(horizons=horizons)
