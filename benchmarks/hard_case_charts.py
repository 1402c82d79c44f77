"""Draws docs/images/hard-cases.svg: what is forecast of loads that ordinary forecasts get wrong, and what then comes.

Each panel is a node of eight workloads of one pattern: its last 20 hours, and p50 and p95 of the 16 that follow beside
what came.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import _common  # noqa: F401  (puts the product on the path)
import numpy as np
from numpy.typing import NDArray

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.build import build
from descheduler_profiling.series import History
from descheduler_profiling.settings import ProfileSettings

STEP, HOUR, DAY = 300, 12, 288
MONDAY = 1_788_134_400  # 2026-08-31 00:00 UTC
PODS, PAST, AHEAD = 8, 20 * HOUR, 16 * HOUR
OUT = Path(__file__).parents[1] / "docs" / "images" / "hard-cases.svg"
Floats = NDArray[np.float64]


def column(day: int, hour: float) -> int:
    return day * DAY + round(hour * HOUR)


def plateau(at: NDArray[np.int64], begins: float = 9.0, ends: float = 17.0) -> Floats:
    hour = at % DAY / HOUR
    return np.asarray((hour >= begins) & (hour < ends), np.float64)


def office(at: NDArray[np.int64]) -> Floats:
    return 0.1 + 0.8 * plateau(at) * (at // DAY % 7 < 5)


def early(at: NDArray[np.int64]) -> Floats:
    return 0.2 + 0.43 * np.where(at < column(7, 0), plateau(at), plateau(at, 8.0, 16.0))


def stepped(at: NDArray[np.int64]) -> Floats:
    return np.where(at < column(7, 11.5), 0.8, 0.35) * (1 + 0.1 * np.sin(2 * np.pi * at / DAY))


def leak(at: NDArray[np.int64]) -> Floats:
    return 0.3 + 0.02 * np.maximum(at - column(6, 20), 0) / HOUR


def glitch(at: NDArray[np.int64]) -> Floats:
    return np.where(at == column(7, 12) - 1, 1.0, 0.4 + 0.1 * np.sin(2 * np.pi * at / DAY))


PANELS: tuple[tuple[str, Callable[[NDArray[np.int64]], Floats], int, int], ...] = (
    ("office hours, seen on a Friday evening (one week known)", office, column(4, 20), 7),
    ("office hours, seen on a Monday morning (one week known)", office, column(0, 5), 7),
    ("the morning's load came an hour early", early, column(7, 8.75), 7),
    ("35 minutes after a roll-out that needs less", stepped, column(7, 11.5) + 7, 7),
    ("memory that has grown for 16 hours", leak, column(7, 12), 7),
    ("a sample that no other resembles", glitch, column(7, 12), 7),
)


def main() -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 9), layout="constrained")
    for axes, (title, pattern, now, days) in zip(figure.subplots(3, 2).flat, PANELS, strict=True):
        at = np.arange(now - days * DAY, now + AHEAD)
        spread = 0.004 if pattern is leak else 0.02  # memory hardly makes a noise
        noise = np.exp(np.random.default_rng(1).normal(0, spread, (PODS, len(at))))
        loads = (pattern(at) * noise / PODS).astype(np.float32)
        keys = tuple(WorkloadKey("shop", "Deployment", f"w{row}") for row in range(PODS))
        known = History(
            "cpu", "cores", keys, MONDAY + int(at[0]) * STEP, STEP, loads[:, :-AHEAD], np.ones(PODS, np.float32)
        )
        made = build(known, ProfileSettings(select=False))
        of_node = made.vectors.sum(axis=0)
        hours = (at - now + 1) / HOUR
        past, ahead = slice(len(at) - AHEAD - PAST, len(at) - AHEAD), slice(len(at) - AHEAD, len(at))
        load = loads.sum(axis=0)
        axes.plot(hours[past], load[past], color="#444444", linewidth=1.2, label="measured")
        axes.plot(hours[ahead], load[ahead], color="#999999", linewidth=1.0, linestyle=":", label="what came")
        for q, colour in ((0.5, "#1f77b4"), (0.95, "#d62728")):
            axes.plot(hours[ahead], made.curve(of_node, q)[:AHEAD], color=colour, label=f"p{q * 100:g}", linewidth=1.4)
        axes.axvline(0, color="#bbbbbb", linewidth=0.8)
        axes.set(title=title, ylim=(0, 1.08), xlabel="hours from now")
        axes.grid(alpha=0.25)
    figure.axes[0].legend(loc="upper right", fontsize="small")
    OUT.parent.mkdir(exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "hard-cases"}):
        figure.savefig(OUT, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
