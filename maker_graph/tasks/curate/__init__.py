"""The task `curate`, which turns messy rows into typed records, and the files that it reads and writes.

`schema.py` says what a record is, `rows.py` reads tables, `task.py` asks about each row, `results.py` writes the results.
"""

from maker_graph.tasks.curate.labelled import LabelledRow, overlap, read_labelled
from maker_graph.tasks.curate.making import curate, curation
from maker_graph.tasks.curate.rows import open_rows
from maker_graph.tasks.curate.schema import load_schema
from maker_graph.tasks.curate.task import Curate

__all__ = ["Curate", "LabelledRow", "curate", "curation", "load_schema", "open_rows", "overlap", "read_labelled"]
