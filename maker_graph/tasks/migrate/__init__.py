"""A code base migrated site by site: each place that a rule finds is rewritten by a vote, and the result is a patch.

tree.py      the files of a tree, and which of them are left out
sites.py     the places that a rule finds, by LibCST
edits.py     what an edit may be, and how it gets into a file
patch.py     the edits as a diff for `git apply`
rules.py     what a rule is, and which ship
percent.py   the rule that ships: % formatting and str.format to f-strings; what belongs to it alone:
  forms.py     what a formatting does, tried out on plain values
  kinds.py     of which types an expression can be
  writing.py   how the f-string is written where a program is sure
  mistakes.py  what a simulated model gets wrong
task.py      all of it as a task of items

LibCST is an extra: `pip install 'maker-graph[migrate]'`.
"""

from maker_graph.tasks.migrate.rules import LEAVE, Rule
from maker_graph.tasks.migrate.sites import Site
from maker_graph.tasks.migrate.task import Migrate

__all__ = ["LEAVE", "Migrate", "Rule", "Site"]
