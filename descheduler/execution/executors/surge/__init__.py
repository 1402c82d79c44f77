"""The executor `surge`: the new pod first, then one replica less, so that nothing is missing meanwhile."""
