"""How near things are to one another: devices inside a node, nodes in the network."""
