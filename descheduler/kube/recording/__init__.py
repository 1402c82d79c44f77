"""Recordings: a cluster and its history in one file or folder, without names where asked."""
