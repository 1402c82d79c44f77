"""Observing: a cluster or a recording, with its history, becomes one `Observed`; the rule of freshness stands here."""
