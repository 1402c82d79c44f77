"""Idle devices that a workload cannot use: FGD's measure, kept current move by move, and moves that lower it.

`measure` is F itself, `index` what each item's leaving and each shape's coming would change. `descent` takes the
steepest move again and again; `search` starts from there and lets nodes change together: `node_columns` are ways to
rebuild one node, an integer programme (`column_market`) picks one for each, `carry_out` makes moves of them that can be
done. `bound` says what no plan can beat: `relaxed` is the problem node by node, `pricing` solves it for given prices,
`cell_knapsacks` to the end.
"""
