"""Acting on a plan: the only package that writes to a cluster.

Everything that changes a cluster goes through `writes`, and every such write is fenced by leadership. What spans more
than one write is announced first as an intent (`intents`) and finished or dropped at the next start.
"""
