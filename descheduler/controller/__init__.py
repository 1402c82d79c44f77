"""The controller: the pipeline run again and again in a cluster, by the one replica that leads.

`loop` one cycle and the next; `status` why it is ready or not; `metrics`, `reports` and `web` what it shows; `reload`
the policy while it runs; `events` what it writes for the cluster's users; `run` puts it all together.
"""
