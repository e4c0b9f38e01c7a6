"""The tasks that ship, one pure file each, with their tables, and how a task is loaded by its name.

`Curate`, `Decompose`, `Hanoi`, `Records`, `WordProblems` and `curation` are for users; the other modules of this room are not.
"""

from maker_graph.tasks.curate.making import curation
from maker_graph.tasks.curate.task import Curate
from maker_graph.tasks.decompose import Decompose
from maker_graph.tasks.hanoi import Hanoi
from maker_graph.tasks.records import Records
from maker_graph.tasks.word_problems import WordProblems

__all__ = ["Curate", "Decompose", "Hanoi", "Records", "WordProblems", "curation"]
