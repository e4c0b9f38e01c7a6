"""The statistics of votes: races, plans for independent and for correlated errors, estimates, and bounds.

This room is pure: it imports `core` and `errors` only. The public formulas are in `maker_graph`, not here.
"""
