"""Rearranging alike items: integer flows of classes between bins that free the most slots, put in executable order.

`flow_problem` states it, `pattern_pool` solves it by `patterns` of whole sites (`compact` as one programme), `ordering`
finds an order with room at every step, `neighbourhood` repairs and improves, `rearrangement` goes the whole way.
"""
