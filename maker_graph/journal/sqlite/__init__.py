"""The journal in one SQLite file, which is what a run has unless it is told otherwise."""
