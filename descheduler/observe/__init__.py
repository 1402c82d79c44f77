"""Observing: a live cluster or a recording, with its history, becomes one `Observed`.

`observed` how a source is read; `recorded` and `live` clusters; `history` what Prometheus tells, `signals` which of it
is asked for, `gpu_series` where GPUs stand by it; `freshness` whether what is known may be relied on.
"""

from descheduler.observe.observed import Observed, Source, observe

__all__ = ["Observed", "Source", "observe"]
