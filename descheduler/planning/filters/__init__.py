"""Filters: which pods may be moved at all, and for the others why not. One file for each kind of protection."""
