"""The plan document: the outcome of planning with names instead of positions, rows instead of arrays."""
