"""What can be said of a run afterwards: the certificate, and the report with its figures.

Users call `certify` and `report` of `maker_graph.Run` instead.
"""
