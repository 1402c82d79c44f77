"""Forecasts of usage against the rules of others, a day ahead, on real series.

Set-up: 5-minute grid, up to 10 days of history (at least 3), a horizon of 24 h, 4 rolling origins 28.8 h apart counted
back from the end of each series. Figures are over all series; constants of the models were chosen on the half of the
series called "choose" (by a hash of the name), and the keys ending in _report are over the other half alone.

  pNN_ratio_all       geometric mean over series of (our pinball loss / that of VPA's decayed histogram); VPA's buckets
                      are given each series scaled to a mean of one core, where they are fine
  pNN_ratio_services  the same over workload-level series (those of services)
  vectors_pNN_X       the same ratio for vectors (what plans sum), by the bucket of steps that ends at X
  coverage_X          share of outcomes at or under our p95 in the bucket that ends at X
  peak_X_coverage     share of largest usages within X at or under our peak forecast at q95
  peak_overreservation
                      geometric mean, over 1 h and 24 h, of our mean excess over the peak / that of the best peer rule,
                      where every peer is multiplied by the one factor that gives it our coverage
  series_per_second   profiles built on one core from 10 days of history, with the race and without; `_update`:
                      brought up to date when one more step is known
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from _common import Figure, parser, require, show, table
from _usage import PER_DAY, STEP, Series, read
from numpy.typing import NDArray

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling import peers
from descheduler_profiling.build import build
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.refresh import brought_up_to_date
from descheduler_profiling.series import History
from descheduler_profiling.settings import ProfileSettings

HISTORY, LEAST, HORIZON, ORIGINS, APART = 10 * PER_DAY, 3 * PER_DAY, PER_DAY, 4, 346
BUCKETS = {"15m": (0, 3), "1h": (3, 12), "6h": (12, 72), "24h": (72, 288)}
QUANTILES = {"p95": 0.95, "p99": 0.99}
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Picks = NDArray[np.bool_]


def windows(series: Sequence[Series]) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Histories [N, 2880] (NaN before a series begins), outcomes [N, 288], and the series of each."""
    before, after, owner = [], [], []
    for index, one in enumerate(series):
        for k in range(ORIGINS):
            origin = len(one.values) - HORIZON - k * APART
            if origin < LEAST:
                break
            past = one.values[max(0, origin - HISTORY) : origin]
            before.append(np.concatenate([np.full(HISTORY - len(past), np.nan, np.float32), past]))
            after.append(one.values[origin : origin + HORIZON])
            owner.append(index)
    return np.array(before), np.array(after), np.array(owner)


def history(values: Floats) -> History:
    keys = tuple(WorkloadKey("bench", "Deployment", f"{i:06d}") for i in range(len(values)))
    return History("cpu", "cores", keys, 0, STEP, values, np.ones(len(values), np.float32))


def pinball(outcome: Floats, forecast: Floats, q: float) -> Doubles:
    """Mean pinball loss [N] over the measured steps."""
    error = outcome - forecast
    return np.asarray(np.nanmean(np.maximum(q * error, (q - 1) * error), axis=1), np.float64)


def log_ratios(ours: Doubles, theirs: Doubles, owner: NDArray[np.int64], count: int) -> Doubles:
    """Logarithm [series] of the ratio of losses summed over the origins; NaN for a series without origins."""
    mine, other = np.bincount(owner, ours, count), np.bincount(owner, theirs, count)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(np.maximum(mine, 1e-12) / np.maximum(other, 1e-12))
    return np.where(np.bincount(owner, minlength=count) > 0, ratio, np.nan)


def vpa(values: Floats, levels: tuple[float, ...]) -> Floats:
    """VPA's decayed histogram [N, Q], each series scaled to a mean of one core."""
    mean = np.nanmean(values, axis=1, keepdims=True)
    mean = np.where(mean > 0, mean, 1).astype(np.float32)
    return np.asarray(peers.VPA_CPU.percentiles(values / mean, STEP, levels) * mean, np.float32)


def peak_peers(values: Floats) -> dict[str, Floats]:
    """What others' rules say of the next peak [N]."""
    mean = np.nanmean(values, axis=1)
    mean = np.where(mean > 0, mean, 1).astype(np.float32)
    scaled = values / mean[:, None]
    known = np.where(np.isfinite(values), values, -np.inf)
    rolling = np.where(np.isfinite(values), values, 0)
    days = peers.daily_peaks(values, STEP)
    weights = np.where(np.isfinite(values), rolling, 0)
    order = np.argsort(rolling, axis=1)
    heavy = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    at = (heavy >= 0.99 * heavy[:, -1:]).argmax(axis=1)
    crane = np.take_along_axis(rolling, np.take_along_axis(order, at[:, None], axis=1), axis=1)[:, 0]
    return {
        "VPA target": peers.vpa_target(scaled, STEP) * mean,
        "Koordinator": peers.koordinator_peak(scaled, STEP) * mean,
        "KRR p95": peers.flat_quantile(values, STEP, 0.95, 7 * 86400),
        "KRR memory: max 7 d x 1.15": known[:, -7 * PER_DAY :].max(axis=1) * np.float32(1.15),
        "max 24 h": np.maximum(known[:, -PER_DAY:].max(axis=1), 0),
        "Crane percentile x 1.15": crane * np.float32(1.15),
        "Crane DSP max x 1.1": np.nanmax(days, axis=1).astype(np.float32) * np.float32(1.1),
        "N-sigma 5": peers.n_sigma(values, STEP),
        "p99 7 d": peers.flat_quantile(values, STEP, 0.99, 7 * 86400),
    }


def excess(forecast: Floats, peak: Floats, use: Floats) -> float:
    """Mean of what is reserved above the peak, in units of the mean use."""
    return float((np.maximum(forecast - peak, 0) / use).mean())


def at_coverage(rule: Floats, peak: Floats, coverage: float) -> Floats:
    """A rule times the factor that gives it the coverage."""
    with np.errstate(invalid="ignore", divide="ignore"):
        needed = np.where(rule > 0, peak / rule, np.where(peak > 0, np.inf, 0.0))
    factor = np.sort(needed)[min(len(needed) - 1, int(np.ceil(coverage * len(needed))) - 1)]
    return np.asarray(rule * (factor if np.isfinite(factor) else 1e9), np.float32)


def peak_figures(values: Floats, after: Floats, made: SignalProfiles) -> tuple[dict[str, Figure], list[list[Figure]]]:
    figures: dict[str, Figure] = {}
    rows: list[list[Figure]] = []
    ratios = []
    others = peak_peers(values)
    for column, (name, steps) in enumerate({"1h": 12, "24h": HORIZON}.items()):
        there = np.isfinite(after[:, :steps]).any(axis=1) & (np.nanmean(after, axis=1) > 0)
        peak = np.where(np.isfinite(after[there, :steps]), after[there, :steps], 0).max(axis=1)
        use = np.nanmean(after[there], axis=1)
        ours = made.peaks[there, column]
        coverage = float((peak <= ours).mean())
        reserved = excess(ours, peak, use)
        figures[f"peak_{name}_coverage"] = coverage
        figures[f"peak_{name}_excess"] = reserved
        matched = {}
        for label, rule in others.items():
            matched[label] = excess(at_coverage(rule[there], peak, coverage), peak, use)
            rows.append([f"{name} {label}", float((peak <= rule[there]).mean()), excess(rule[there], peak, use),
                         matched[label]])  # fmt: skip
        best = min(matched.values())
        rows.append([f"{name} ours", coverage, reserved, reserved])
        figures[f"peak_{name}_overreservation"] = reserved / best
        ratios.append(reserved / best)
    figures["peak_overreservation"] = float(np.exp(np.mean(np.log(ratios))))
    return figures, rows


def speed(values: Floats, settings: ProfileSettings) -> float:
    """Series per second of this process's time."""
    few = values[: min(len(values), 512)]
    build(history(few[:64]), settings)
    start = time.process_time()
    build(history(few), settings)
    return len(few) / (time.process_time() - start)


def update_speed(values: Floats) -> float:
    """Series per second of this process's time whose profiles are brought up to date."""
    few, rounds, settings = values[: min(len(values), 512)], 8, ProfileSettings()
    made = build(history(few[:, :-rounds]), settings)
    start = time.process_time()
    for step in range(1, rounds + 1):
        later = replace(history(few[:, step : step - rounds or None]), start=step * STEP)
        made = brought_up_to_date(later, settings, made)
    return len(few) * rounds / (time.process_time() - start)


def measure(series: list[Series], candidates: bool) -> tuple[dict[str, Figure], dict[str, list[list[Figure]]]]:
    values, after, owner = windows(series)
    made = build(history(values))
    rows = np.arange(len(values))
    service = np.array([s.service for s in series])
    report = np.array([s.half == "report" for s in series])
    base = vpa(values, tuple(QUANTILES.values()))
    figures: dict[str, Figure] = {"series": len(set(owner.tolist())), "forecasts": len(owner)}
    details: dict[str, list[list[Figure]]] = {"loss": []}
    for at, (name, q) in enumerate(QUANTILES.items()):
        theirs = pinball(after, base[:, at : at + 1], q)
        rivals: dict[str, Callable[[], Floats]] = {
            "ours": lambda q=q: made.forecast(rows, q),
            "VPA": lambda at=at: base[:, at : at + 1],
            "flat 7 d": lambda q=q: peers.flat_quantile(values, STEP, q, 7 * 86400)[:, None],
        }
        if candidates:
            from _library_models import forecasts

            rivals |= {label: (lambda v=v, q=q: v(values, q)) for label, v in forecasts().items()}
        for label, forecast in rivals.items():
            ratio = log_ratios(pinball(after, forecast(), q), theirs, owner, len(series))
            groups = (~service | service, service, report)
            details["loss"].append([f"{name} {label}", *(_mean(ratio, m) for m in groups)])
            if label == "ours":
                figures[f"{name}_ratio_all"] = _mean(ratio, np.ones_like(service))
                figures[f"{name}_ratio_services"] = _mean(ratio, service)
                figures[f"{name}_ratio_all_report"] = _mean(ratio, report)
                figures[f"{name}_ratio_services_report"] = _mean(ratio, report & service)
    curve = made.forecast(rows, 0.95)
    for name, (first, last) in BUCKETS.items():
        part = after[:, first:last]
        known = np.isfinite(part)
        figures[f"coverage_{name}"] = float((part <= curve[:, first:last])[known].mean())
    figures |= vector_figures(made, after, base, owner, len(series))
    more, details["peak"] = peak_figures(values, after, made)
    figures |= more
    figures["series_per_second"] = speed(values, ProfileSettings())
    figures["series_per_second_no_selection"] = speed(values, ProfileSettings(select=False))
    figures["series_per_second_update"] = update_speed(values)
    return figures, details


def vector_figures(
    made: SignalProfiles, after: Floats, base: Floats, owner: NDArray[np.int64], count: int
) -> dict[str, Figure]:
    """Losses of vectors against VPA's histogram, by bucket; steps that were not measured do not count."""
    figures: dict[str, Figure] = {}
    for at, (name, q) in enumerate(QUANTILES.items()):
        curve = made.curve(made.vectors, q)
        for bucket, (first, last) in BUCKETS.items():
            there = np.isfinite(after[:, first:last]).any(axis=1)
            part = after[there, first:last]
            ours, theirs = pinball(part, curve[there, first:last], q), pinball(part, base[there, at : at + 1], q)
            ratio = log_ratios(ours, theirs, owner[there], count)
            figures[f"vectors_{name}_{bucket}"] = _mean(ratio, np.isfinite(ratio))
    return figures


def _mean(logs: Doubles, which: Picks) -> Figure:
    chosen = logs[which & np.isfinite(logs)]
    return float(np.exp(chosen.mean())) if chosen.size else None


def main() -> None:
    made = parser(__doc__ or "", data=True)
    made.add_argument("--candidates", action="store_true", help="also statsmodels and scikit-learn models (minutes)")
    args = made.parse_args()
    require(args.data)
    series = [s for s in read(args.data) if len(s.values) >= LEAST + HORIZON]
    if not series:
        raise SystemExit(f"{args.data}/usage: no series of at least 4 days")
    figures, details = measure(series, args.candidates)
    if not args.json:
        table("Pinball loss ÷ VPA's decayed histogram", ("forecast", "all", "services", "report half"), details["loss"])
        table("Peaks", ("rule", "coverage", "excess", "excess at our coverage"), details["peak"])
    show("Forecasts", figures, as_json=args.json)


if __name__ == "__main__":
    main()
