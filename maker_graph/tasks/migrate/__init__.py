"""The task `migrate`: a vote rewrites each place in a code base that a rule finds, and the result is a patch.

tree.py      the files of a tree, and which of them are left out
sites.py     the places that a rule finds, with LibCST
edits.py     which edits are allowed, and how an edit is put into a file
patch.py     the edits as a diff for `git apply`
rules.py     what a rule is, and which rules ship
percent.py   the rule that ships: % formatting and str.format to f-strings. These modules belong to it alone:
  forms.py     what a formatting does, tried out on plain values
  kinds.py     which types an expression can have
  writing.py   the f-string that a program writes where it is sure
  mistakes.py  what a simulated model gets wrong
task.py      all of this as a task of items

LibCST is an extra: `pip install 'maker-graph[migrate]'`.
"""

from maker_graph.tasks.migrate.rules import LEAVE, Rule
from maker_graph.tasks.migrate.sites import Site
from maker_graph.tasks.migrate.task import Migrate

__all__ = ["LEAVE", "Migrate", "Rule", "Site"]
