"""Reading the history of signals from Prometheus and its kin, and keeping it.

`sessions` how to reach a server; `client` one query, with retries; `wire` its answer, decoded; `chunks` a long range
as many small queries; `signals` what to ask; `probe` which of several queries the server can answer; `align` answers
on one clock; `rollup` pods to workloads; `collect` all of it, once in full and then by appending; `store` on disk;
`serial` in recordings.
"""
