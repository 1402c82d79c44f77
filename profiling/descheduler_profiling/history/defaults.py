"""How history is read unless somebody says otherwise; the policy's section `history` has the same defaults."""

STEP = 300
"""Seconds between two points."""
REFIT = 3600
"""Seconds for which profiles go on from one fit."""
TIMEOUT = 60.0
"""Seconds that one query may take."""
MAX_CONCURRENCY = 2
"""Queries under way at once."""
MAX_SAMPLES = 400_000
"""Samples that one query may return."""
CEILING = 1e18
"""Larger values are errors of measurement, whatever is measured."""
