"""What stands where, measured and packed anew: pure arrays that know nothing of an API server.

`state` is the ground everybody stands on; measures read it, searches give steps that can be replayed on it in order.
"""
