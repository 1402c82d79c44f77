"""Forecasts by library models, for the comparison: what they would say at the same instants. Minutes, not seconds."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from _usage import PER_DAY
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def forecasts() -> dict[str, Callable[[Floats, float], Floats]]:
    """Name -> function of histories [N, T] and a quantile, giving forecasts [N, 288]."""
    return {
        "scikit-learn HGB, global": boosted,
        "statsmodels Holt-Winters, hourly + conformal": holt_winters,
        "statsmodels STL + conformal": stl,
    }


def _filled(values: Floats) -> Floats:
    mean = np.nan_to_num(np.nanmean(values, axis=1, keepdims=True))
    return np.where(np.isfinite(values), values, mean).astype(np.float32)


def boosted(values: Floats, q: float) -> Floats:
    """Gradient-boosted quantiles over all series, trained on the days before the last one known."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    filled = _filled(values)
    scale = np.maximum(filled.mean(axis=1, keepdims=True), 1e-9)
    scaled = filled / scale
    leads = np.arange(0, PER_DAY, 12)

    def table(origin: int) -> Floats:
        """Features [N * leads, F] known at an origin (column)."""
        past = scaled[:, :origin]
        whole = [past[:, -n:].mean(axis=1) for n in (12, PER_DAY, 7 * PER_DAY)]
        whole += [np.quantile(past[:, -n:], q, axis=1) for n in (PER_DAY, 3 * PER_DAY, 7 * PER_DAY)]
        rows = [np.repeat(w, len(leads)) for w in whole]
        rows += [past[:, origin - k * PER_DAY + leads].ravel() for k in (1, 2, 7) if origin >= k * PER_DAY]
        rows.append(np.tile(leads, len(past)))
        return np.stack(rows, axis=1).astype(np.float32)

    end = scaled.shape[1]
    origins = [end - k * PER_DAY for k in (1, 2, 3)]
    model = HistGradientBoostingRegressor(loss="quantile", quantile=q, max_iter=100, learning_rate=0.08)
    model.fit(
        np.concatenate([table(o) for o in origins]), np.concatenate([scaled[:, o + leads].ravel() for o in origins])
    )
    said = model.predict(table(end)).reshape(len(scaled), -1)
    return np.asarray(np.maximum(np.repeat(said, 12, axis=1) * scale, 0), np.float32)


def holt_winters(values: Floats, q: float) -> Floats:
    """Additive seasonal smoothing of hourly means; quantiles of its errors on 5-minute values, by split conformal."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    filled = _filled(values)
    out = np.empty((len(values), PER_DAY), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row, one in enumerate(filled):
            hourly = one.reshape(-1, 12).mean(axis=1)
            fitted = ExponentialSmoothing(
                hourly, seasonal="add", seasonal_periods=24, initialization_method="heuristic"
            ).fit(optimized=False, smoothing_level=0.2, smoothing_seasonal=0.2)
            error = (one.reshape(-1, 12) - fitted.fittedvalues[:, None])[48:]
            out[row] = np.repeat(fitted.forecast(24), 12) + np.quantile(error, q)
    return np.maximum(out, 0)


def stl(values: Floats, q: float) -> Floats:
    """Season of the last day and trend of the end, by STL of 15-minute means; quantiles of the remainder."""
    from statsmodels.tsa.seasonal import STL

    filled = _filled(values)
    out = np.empty((len(values), PER_DAY), np.float32)
    for row, one in enumerate(filled):
        quarter = one.reshape(-1, 3).mean(axis=1)
        parts = STL(quarter, period=96, seasonal=7).fit()
        error = one.reshape(-1, 3) - (parts.seasonal + parts.trend)[:, None]
        out[row] = np.repeat(parts.seasonal[-96:] + parts.trend[-1], 3) + np.quantile(error, q)
    return np.maximum(out, 0)
