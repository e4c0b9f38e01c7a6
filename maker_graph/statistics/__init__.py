"""The statistics of votes: races, plans for independent and for correlated errors, and what calibrations and ballots show.

This room is pure: it imports `core` and `errors` only. The public formulas are in `maker_graph`, not here.
"""
