"""GPU devices: `sources` has one file for each that reports them, `merge` makes one picture of all reports.

`resources` and `sharing` read what nodes count and pods ask for.
"""
