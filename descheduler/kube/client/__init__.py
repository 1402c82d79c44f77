"""The connection to an API server and what is read through it: lists, watches, discovery, the live cache."""
