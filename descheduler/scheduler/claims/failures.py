"""What goes wrong with claims in a way that no other node makes good."""

from __future__ import annotations


class SelectorFailed(Exception):
    """A selector has no answer for a device. The scheduler then gives up the pod, whatever other nodes offer."""
