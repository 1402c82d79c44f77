"""Writing to the API server: the lease, the fenced writer, the rate limit, the objects that are written.

The only package that writes to a cluster. A replica that may have been deposed sends nothing.
"""
