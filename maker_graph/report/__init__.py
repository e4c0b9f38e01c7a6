"""What can be said of a run afterwards: the certificate, and the report with its figures.

Not for users: `maker_graph.Run` has `certify` and `report`.
"""
