"""The journal of a run: what it promises, and the databases that keep it (SQLite and Postgres)."""
