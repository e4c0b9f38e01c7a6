"""A run that survives a crash: its settings, options, directory, journal, account, recovery and traces.

Not for users: a run in Python is `maker_graph.Run`.
"""
