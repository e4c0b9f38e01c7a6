"""Messy rows to typed records: the task `curate`, and what it reads and writes.

`schema.py` says what a record is, `rows.py` reads tables, `task.py` asks about each row, `results.py` writes what came of it.
"""
