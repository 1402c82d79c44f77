"""Times, durations, counts and amounts as people read them: one way for each, wherever it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

UNKNOWN = "–"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Seconds of the units that durations are written in."""
_BINARY = ("", "Ki", "Mi", "Gi", "Ti")


def instant(seconds: float) -> str:
    """Unix seconds as `2026-10-29 12:00:00 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(seconds: float) -> str:
    """Unix seconds as `12:00`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M")


def span(seconds: float) -> str:
    """A length of time: `3 s`, `12 min`, `2 h`, `1 h 30 min`, `3 d`."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 120 and minutes % 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(hours / 24)} d"


def age(seconds: float) -> str:
    """How long ago, where minutes are what counts: `45 s`, `150 min`."""
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def duration(value: timedelta) -> str:
    """A duration as a policy has it, in the shortest way: `1h30m`, `7d`, `1.5s`."""
    seconds, fraction = divmod(value, timedelta(seconds=1))
    parts = []
    for unit in ("d", "h", "m"):
        count, seconds = divmod(seconds, SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if seconds or fraction or not parts:
        parts.append(f"{seconds + fraction.total_seconds():.6f}".rstrip("0").rstrip(".") + "s")
    return "".join(parts)


def horizon(seconds: int) -> str:
    """A horizon in its largest whole unit up to hours: `15m`, `1h`, `24h`."""
    unit = next(unit for unit in ("h", "m", "s") if seconds % SECONDS[unit] == 0)
    return f"{seconds // SECONDS[unit]}{unit}"


def percent(fraction: float) -> str:
    """`0.914` as `91%`; a negative fraction is unknown."""
    return UNKNOWN if fraction < 0 else f"{fraction:.0%}"


def number(value: float) -> str:
    """A plain number, with thin separators between thousands."""
    text = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return text.replace(",", "\u202f")


def plural(count: float, word: str, words: str = "") -> str:
    """`1 pod`, `2 pods`."""
    return f"{number(count)} {word if count == 1 else words or word + 's'}"


def tried(refused: Mapping[str, int]) -> str:
    """Who was refused by why, the most frequent first: `12 tried in vain: 9 WouldLandOnSource, 3 DestinationHot`."""
    order = sorted(refused.items(), key=lambda item: (-item[1], item[0]))
    reasons = ", ".join(f"{number(count)} {reason}" for reason, count in order)
    return f"{number(sum(refused.values()))} tried in vain: {reasons}" if refused else ""


def compact(value: float) -> str:
    """Core-seconds for people: `90`, `6.3 k`, `576 k`, `1.2 M`."""
    for limit, divisor, unit in ((1e3, 1.0, ""), (1e6, 1e3, "\u202fk"), (1e9, 1e6, "\u202fM")):
        if abs(value) < limit:
            return f"{value / divisor:.3g}{unit}"
    return f"{value / 1e9:.3g}\u202fG"


def quantity(resource: str, value: float) -> str:
    """An amount of a resource as the scheduler counts it: 1500 millicores as `1.5`, bytes as `3.2Gi`."""
    if resource == "cpu":
        return f"{value / 1000:.3g}"
    if "memory" in resource or "storage" in resource or resource.startswith("hugepages-"):
        scaled, suffix = _binary(value)
        return f"{scaled:.3g}{suffix}"
    return f"{value:g}"


def usage(value: float | None, unit: str) -> str:
    """A value of a signal: `0.35`, `1.2 GiB`, `41%`; a dash for none."""
    if value is None:
        return UNKNOWN
    if unit == "fraction":
        return f"{value:.1%}" if abs(value) < 0.1 else f"{value:.0%}"
    if unit == "bytes":
        scaled, suffix = _binary(value)
        return f"{scaled:.3g} {suffix}B" if abs(scaled) < 1000 else f"{scaled:.0f} {suffix}B"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _binary(value: float) -> tuple[float, str]:
    """Bytes in the unit in which they are below 1024, and its prefix."""
    for prefix in _BINARY[:-1]:
        if abs(value) < 1024:
            return value, prefix
        value /= 1024
    return value, _BINARY[-1]
