"""What votes come to, pure: races, plans for independent and for correlated errors, and what calibrations and ballots say.

It imports `core` and `errors` only. Not for users: the public formulas are in `maker_graph`.
"""
