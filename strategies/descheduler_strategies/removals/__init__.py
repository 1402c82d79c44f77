"""Pods that are taken away rather than moved: failed ones, those that restart again and again, old ones."""
