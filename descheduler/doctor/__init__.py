"""The examination of an installation: is all there that a plan needs, and what mends what is not?

`checks` what one finding of it is; a file for each thing that is looked at: `instances`, `permissions`, `servers`,
`kinds`, `signals` with `coverage`, `planned`; `examination` their order; `document` and `table` how it is written.
Nothing here changes a cluster.
"""
