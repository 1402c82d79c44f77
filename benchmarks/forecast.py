"""Forecasts of usage against the rules of others, a day ahead, on real series.

Set-up: 5-minute grid, up to 10 days of history (at least 3), a horizon of 24 h, 4 rolling origins 28.8 h apart counted
back from the end of each series; all series are profiled together at each origin, from what was known there. Figures
are over all series; constants of the models were chosen on the half of the series called "choose" (by a hash of the
name), and the keys ending in _report are over the other half alone.

  pNN_ratio_all       geometric mean over series of (our pinball loss / that of VPA's decayed histogram); VPA's buckets
                      are given each series scaled to a mean of one core, where they are fine
  pNN_ratio_services  the same over workload-level series (those of services)
  pNN_ratio_F         the same over the series of one family: a file of the data folder
  X_ci_low, X_ci_high where X is in 95 of 100 draws of as many machines and services, with replacement (a bootstrap over
                      names: the mean and the maximum of one machine are drawn together)
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from _common import Figure, parser, require, show, table
from _usage import PER_DAY, STEP, Series, read
from numpy.typing import NDArray

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling import peers
from descheduler_profiling.build import build
from descheduler_profiling.refresh import brought_up_to_date
from descheduler_profiling.series import History
from descheduler_profiling.settings import ProfileSettings

HISTORY, LEAST, HORIZON, ORIGINS, APART = 10 * PER_DAY, 3 * PER_DAY, PER_DAY, 4, 346
BUCKETS = {"15m": (0, 3), "1h": (3, 12), "6h": (12, 72), "24h": (72, 288)}
QUANTILES = {"p95": 0.95, "p99": 0.99}
SAID = tuple(QUANTILES.values())
DRAWS = 2000  # of the bootstrap
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Picks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Windows:
    """Histories `before` [N, 2880] (NaN before a series begins), outcomes `after` [N, 288], the series `owner` [N], and
    which of the origins, counted back from the end, is a window's `origin` [N]; in the order of the origins."""

    before: Floats
    after: Floats
    owner: NDArray[np.int64]
    origin: NDArray[np.int64]


def windows(series: Sequence[Series]) -> Windows:
    before, after, owner, origins = [], [], [], []
    for k in range(ORIGINS):
        for index, one in enumerate(series):
            origin = len(one.values) - HORIZON - k * APART
            if origin < LEAST:
                continue
            past = one.values[max(0, origin - HISTORY) : origin]
            before.append(np.concatenate([np.full(HISTORY - len(past), np.nan, np.float32), past]))
            after.append(one.values[origin : origin + HORIZON])
            owner.append(index)
            origins.append(k)
    return Windows(np.array(before), np.array(after), np.array(owner), np.array(origins))


@dataclass(frozen=True, slots=True)
class Said:
    """What profiles say of N windows: `shown` and `summed` (by vectors, as plans do) [N, H] by quantile, and peaks."""

    shown: Mapping[float, Floats]
    summed: Mapping[float, Floats]
    peaks: Floats


def said(given: Windows) -> Said:
    """Each origin by itself: together, one window's history would have the outcome of another's."""
    parts = [build(history(given.before[given.origin == k])) for k in np.unique(given.origin)]
    shown = {q: np.concatenate([made.forecast(np.arange(len(made.keys)), q) for made in parts]) for q in SAID}
    summed = {q: np.concatenate([made.curve(made.vectors, q) for made in parts]) for q in SAID}
    return Said(shown, summed, np.concatenate([made.peaks for made in parts]))


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


def peak_figures(values: Floats, after: Floats, forecast: Floats) -> tuple[dict[str, Figure], list[list[Figure]]]:
    figures: dict[str, Figure] = {}
    rows: list[list[Figure]] = []
    ratios = []
    others = peak_peers(values)
    for column, (name, steps) in enumerate({"1h": 12, "24h": HORIZON}.items()):
        there = np.isfinite(after[:, :steps]).any(axis=1) & (np.nanmean(after, axis=1) > 0)
        peak = np.where(np.isfinite(after[there, :steps]), after[there, :steps], 0).max(axis=1)
        use = np.nanmean(after[there], axis=1)
        ours = forecast[there, column]
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
    given = windows(series)
    values, after, owner = given.before, given.after, given.owner
    made = said(given)
    parts = groups(series)
    base = vpa(values, SAID)
    figures: dict[str, Figure] = {"series": len(set(owner.tolist())), "forecasts": len(owner)}
    details: dict[str, list[list[Figure]]] = {"loss": []}
    for at, (name, q) in enumerate(QUANTILES.items()):
        theirs = pinball(after, base[:, at : at + 1], q)
        rivals: dict[str, Callable[[], Floats]] = {
            "ours": lambda q=q: made.shown[q],
            "VPA": lambda at=at: base[:, at : at + 1],
            "flat 7 d": lambda q=q: peers.flat_quantile(values, STEP, q, 7 * 86400)[:, None],
        }
        if candidates:
            from _library_models import forecasts

            rivals |= {label: (lambda v=v, q=q: v(values, q)) for label, v in forecasts().items()}
        for label, forecast in rivals.items():
            ratio = log_ratios(pinball(after, forecast(), q), theirs, owner, len(series))
            details["loss"].append([f"{name} {label}", *(_mean(ratio, part) for part in parts.values())])
            if label == "ours":
                figures |= ratio_figures(f"{name}_ratio_", ratio, parts, [f"{one.file}/{one.name}" for one in series])
    for name, (first, last) in BUCKETS.items():
        part = after[:, first:last]
        known = np.isfinite(part)
        figures[f"coverage_{name}"] = float((part <= made.shown[0.95][:, first:last])[known].mean())
    figures |= vector_figures(made, after, base, owner, len(series))
    more, details["peak"] = peak_figures(values, after, made.peaks)
    figures |= more
    figures["series_per_second"] = speed(values, ProfileSettings())
    figures["series_per_second_no_selection"] = speed(values, ProfileSettings(select=False))
    figures["series_per_second_update"] = update_speed(values)
    return figures, details


def groups(series: Sequence[Series]) -> dict[str, Picks]:
    """Which series [S] are meant by the end of a key."""
    service = np.array([one.service for one in series])
    report = np.array([one.half == "report" for one in series])
    families = {one.file: np.array([other.file == one.file for other in series]) for one in series}
    return {
        "all": np.ones_like(service),
        "services": service,
        "all_report": report,
        "services_report": report & service,
        **{name.replace("-", "_"): family for name, family in families.items()},
    }


def ratio_figures(key: str, ratio: Doubles, parts: Mapping[str, Picks], names: Sequence[str]) -> dict[str, Figure]:
    """The mean ratio of each group, and between what it lies."""
    figures: dict[str, Figure] = {}
    for group, part in parts.items():
        figures[key + group] = _mean(ratio, part)
        figures[f"{key}{group}_ci_low"], figures[f"{key}{group}_ci_high"] = interval(ratio, part, names)
    return figures


def interval(logs: Doubles, which: Picks, names: Sequence[str]) -> tuple[Figure, Figure]:
    """Percentile bootstrap (Efron 1979) of the geometric mean, at 95 %."""
    there = np.flatnonzero(which & np.isfinite(logs))
    if not there.size:
        return None, None
    _, owner = np.unique([names[at] for at in there.tolist()], return_inverse=True)
    total, count = np.bincount(owner, logs[there]), np.bincount(owner)
    drawn = np.random.default_rng(1).integers(0, len(total), (DRAWS, len(total)))
    means = total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    low, high = np.exp(np.quantile(means, (0.025, 0.975))).tolist()
    return low, high


def vector_figures(made: Said, after: Floats, base: Floats, owner: NDArray[np.int64], count: int) -> dict[str, Figure]:
    """Losses of vectors against VPA's histogram, by bucket; steps that were not measured do not count."""
    figures: dict[str, Figure] = {}
    for at, (name, q) in enumerate(QUANTILES.items()):
        for bucket, (first, last) in BUCKETS.items():
            there = np.isfinite(after[:, first:last]).any(axis=1)
            part = after[there, first:last]
            ours = pinball(part, made.summed[q][there, first:last], q)
            theirs = pinball(part, base[there, at : at + 1], q)
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
        columns = [name.replace("_", " ") for name in groups(series)]
        table("Pinball loss ÷ VPA's decayed histogram", ("forecast", *columns), details["loss"])
        table("Peaks", ("rule", "coverage", "excess", "excess at our coverage"), details["peak"])
    show("Forecasts", figures, as_json=args.json)


if __name__ == "__main__":
    main()
