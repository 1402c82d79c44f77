"""Rearranging alike items: integer flows of classes between bins that free the most slots, put in executable order.

`flows` states the problem, `columns` solves it by patterns of whole sites (`compact` as one programme), `ordering`
finds an order with room at every step, `neighbourhood` repairs and improves, `rearrangement` goes the whole way.
"""
