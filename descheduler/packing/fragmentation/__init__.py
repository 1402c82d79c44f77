"""Idle devices that a workload cannot use: FGD's measure, kept current move by move, and moves that lower it.

`measure` is F itself, `index` what each item's leaving and each shape's coming would change. `descent` takes the
steepest move again and again; `search` starts from there and lets nodes change together: `columns` are ways to rebuild
one node, an integer programme (`choice`) picks one for each, `order` makes moves of them that can be done. `bound` says
what no plan can beat.
"""
