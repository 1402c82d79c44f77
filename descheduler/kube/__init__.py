"""Reading a cluster: connection, paged lists, watches, discovery, recordings. Writes nothing."""
