"""Reading the history of signals from Prometheus and its kin, and keeping it.

`signals` what to ask, `gpu_queries` of GPUs; `prometheus` the server; `align` answers on one clock, which `grid`
defines; `rollup` pods to workloads, whose `owners` are; `collect` all of it, once in full and then by `update`;
`agreement` whether the server still says the same; `ring` what is kept, `store` on disk, `view` as series, `serial` in
recordings; `defaults` of it.
"""
