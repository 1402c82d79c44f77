"""Disruption windows open and close when their time zone's clock says so, also when that clock is changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import cluster, node, pod
from descheduler.gangs import resolve
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.build import FilterRules, build_filters
from descheduler.planning.filters.schedule import Opening, Window, open_windows
from descheduler.planning.settings import settings_of
from descheduler.policy import load_policy
from descheduler.policy.protections import Protections

HOUR = 3600.0
NIGHT = Window("0 2 * * *", 3 * HOUR, "Europe/Berlin")


def at(text: str) -> float:
    """An instant, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def opening(window: Window, text: str) -> Opening:
    (found,) = open_windows([window], at(text))
    return found


def opens(window: Window, text: str) -> str:
    found = opening(window, text).opens
    assert found is not None
    return f"{found.astimezone(UTC):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        ("2026-01-10 00:59:59", False),
        ("2026-01-10 01:00:00", True),  # 02:00 in Berlin
        ("2026-01-10 03:59:59", True),
        ("2026-01-10 04:00:00", False),
        ("2026-07-10 00:00:00", True),  # an hour earlier in summer
        ("2026-07-10 03:00:00", False),
    ],
)
def test_a_window_is_open_from_its_opening_for_its_duration(now: str, is_open: bool) -> None:
    assert opening(NIGHT, now).is_open is is_open


def test_the_next_opening_is_told() -> None:
    assert opens(NIGHT, "2026-01-10 05:00") == "2026-01-11 01:00"
    assert opens(NIGHT, "2026-01-10 01:00") == "2026-01-11 01:00"
    assert opens(NIGHT, "2026-01-10 00:59") == "2026-01-10 01:00"
    assert opening(NIGHT, "2026-01-10 05:00").text() == "opens 2026-01-11 02:00 CET (Europe/Berlin)"


def test_in_spring_an_opening_in_the_skipped_hour_comes_right_after_it() -> None:
    window = Window("30 2 * * *", HOUR, "Europe/Berlin")  # 02:00 to 03:00 is skipped at 01:00 UTC
    assert opens(window, "2026-03-29 00:30") == "2026-03-29 01:00"
    assert not opening(window, "2026-03-29 00:59").is_open
    assert opening(window, "2026-03-29 01:00").is_open
    assert opening(window, "2026-03-29 01:59").is_open
    assert not opening(window, "2026-03-29 02:00").is_open


def test_in_autumn_an_opening_in_the_repeated_hour_comes_once() -> None:
    window = Window("30 2 * * *", HOUR / 2, "Europe/Berlin")  # 02:00 to 03:00 comes at 00:00 and at 01:00 UTC
    assert opens(window, "2026-10-25 00:00") == "2026-10-25 00:30"
    assert opening(window, "2026-10-25 00:30").is_open
    assert not opening(window, "2026-10-25 01:00").is_open  # the second 02:00
    assert not opening(window, "2026-10-25 01:30").is_open  # the second 02:30
    assert opens(window, "2026-10-25 01:10") == "2026-10-26 01:30"


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_a_duration_is_elapsed_time_when_the_clock_is_changed(day: str) -> None:
    window = Window("0 0 * * *", 6 * HOUR, "Europe/Berlin")
    begin = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    (last,), (after,) = open_windows([window], begin + 6 * HOUR - 1), open_windows([window], begin + 6 * HOUR)
    assert last.is_open
    assert not after.is_open


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_an_hourly_schedule_opens_every_hour_when_the_clock_is_changed(day: str) -> None:
    window = Window("*/60 * * * *", 60.0, "Europe/Berlin")
    for hour in range(6):
        assert opening(window, f"{day} 0{hour}:00:30").is_open
        assert not opening(window, f"{day} 0{hour}:01:00").is_open


def test_overlapping_openings_are_one_long_one() -> None:
    always = Window("0 * * * *", 2 * HOUR, "America/New_York")
    assert all(opening(always, f"2026-11-01 0{hour}:30").is_open for hour in range(10))


def test_a_window_of_one_leap_day_opens_in_the_next_leap_year() -> None:
    assert opens(Window("0 0 29 2 *", HOUR, "UTC"), "2026-01-01 00:00") == "2028-02-29 00:00"


@given(
    st.sampled_from(["30 2 * * *", "0 0 * * SUN", "15 1-3 * * *", "*/20 * * * *", "0 12 1 * *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    st.integers(0, 365 * 1440),
)
def test_a_window_opens_exactly_when_it_says(schedule: str, zone: str, minute: int) -> None:
    now = at("2026-01-01 00:00") + 60.0 * minute
    window = Window(schedule, 60.0, zone)
    (here,) = open_windows([window], now)
    assert here.opens is not None
    begin = here.opens.timestamp()
    (before,), (then,) = open_windows([window], begin - 1), open_windows([window], begin)
    assert then.is_open
    assert before.opens == here.opens
    assert begin > now


def refused(windows: tuple[Window, ...], now: str, namespace: str = "shop-a") -> Blocked | None:
    snapshot = cluster([node("n1"), node("n2")], [pod("web-1", node="n1", namespace=namespace)])
    return build_filters(
        snapshot, resolve(snapshot), replace(FilterRules.of(Protections()), windows=windows), now=at(now)
    ).blocked(0)


def test_without_windows_pods_may_always_move() -> None:
    assert refused((), "2026-01-10 12:00") is None


def test_outside_its_windows_a_pod_stays_and_is_told_the_soonest_opening() -> None:
    noon = Window("0 12 * * *", HOUR, "UTC")
    assert refused((NIGHT, noon), "2026-01-10 02:00") is None
    assert refused((NIGHT, noon), "2026-01-10 05:00") == Blocked(
        Reason.OUTSIDE_WINDOW, "window/0 12 * * *", "opens 2026-01-10 12:00 UTC (UTC)"
    )


def test_a_window_is_for_the_namespaces_that_it_names() -> None:
    shop = Window("0 0 * * *", 24 * HOUR, "UTC", namespaces=("shop-*",))
    assert refused((shop,), "2026-01-10 05:00", "shop-a") is None
    other = refused((shop,), "2026-01-10 05:00", "bank")
    assert other == Blocked(Reason.OUTSIDE_WINDOW, "namespace/bank", "no window is for it")


def test_an_annotation_that_asks_for_eviction_does_not_open_a_window() -> None:
    asking = pod("web-1", node="n1", annotations={"descheduler.alpha.kubernetes.io/evict": "true"})
    snapshot = cluster([node("n1"), node("n2")], [asking])
    filters = build_filters(
        snapshot,
        resolve(snapshot),
        replace(FilterRules.of(Protections()), windows=(NIGHT,)),
        now=at("2026-01-10 12:00"),
    )
    assert filters.blocked(0) is not None


def test_windows_come_from_the_policy() -> None:
    policy = load_policy(
        "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
        "windows: [{schedule: '0 2 * * *', duration: 3h, timeZone: Europe/Berlin, namespaces: [a-*]}]\n"
    )
    assert settings_of(policy, cluster()).filters.windows == (
        Window("0 2 * * *", timedelta(hours=3).total_seconds(), "Europe/Berlin", ("a-*",)),
    )
