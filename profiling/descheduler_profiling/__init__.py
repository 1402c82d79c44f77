"""Resource profiles: what workloads, and any set of them together, will use within the next day.

    from descheduler_profiling.build import build            # History -> SignalProfiles
    made = build(history)
    made.forecast(rows, 0.95)                                # single workloads, every step of the day to come
    made.curve(made.vectors[rows].sum(axis=0), 0.95)         # all of them on one node: vectors add
    made.peak(vectors, 0.95, 3600), made.profile(row)        # largest usage within an hour; the report on one

A `History` (series.py) is a matrix of aligned usage; `descheduler_profiling.history` reads it from Prometheus.
"""
