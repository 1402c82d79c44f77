"""Replay: what a policy would have made of the time that was recorded, cycle by cycle, with the product's own code.

`world` is what a walk goes through, `cluster` what becomes of it under somebody's evictions, `meter` what is measured
on the way. A `Contender` moves pods; `ours` is the pipeline with its ledger, `peers` are other deschedulers' rules.
"""
