"""The journal in one SQLite file, which is the default."""
