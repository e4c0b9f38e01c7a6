"""The tasks that ship, with their tables, and the code that loads a task by its name.

`Curate`, `Decompose`, `Hanoi`, `Records`, `WordProblems` and `curation` are for users. The other modules of this room are not.
"""

from maker_graph.tasks.curate.making import curation
from maker_graph.tasks.curate.task import Curate
from maker_graph.tasks.decompose import Decompose
from maker_graph.tasks.hanoi import Hanoi
from maker_graph.tasks.records import Records
from maker_graph.tasks.word_problems import WordProblems

__all__ = ["Curate", "Decompose", "Hanoi", "Records", "WordProblems", "curation"]
