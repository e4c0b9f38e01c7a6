"""A run that survives a crash: its settings, journal, account, recovery and traces."""
