"""Profiles given to others, in step with each cycle.

`published` keeps them as metrics and has them recommended; `advice` is what is recommended of which workloads,
`recommendations` writes it as Koordinator's Recommendation objects. What the policy says of it is in policy/publish;
a file of profiles for other programs (`profile export`) is descheduler_profiling/export.
"""
