"""The task `word-problems`: problems of several steps, each step one equation, which a program verifies.

`problems.py` says what a problem is, and `making.py` makes some. `task.py` asks them, `verifying.py` says what can be said of
an answer, and `mistakes.py` rehearses wrong ones.
"""

from maker_graph.tasks.word_problems.task import WordProblems

__all__ = ["WordProblems"]
