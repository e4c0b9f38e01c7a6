"""The task `word-problems`: problems of several steps, each step one equation, which a program verifies.

`problems.py` says what a problem is, and `making.py` makes problems. `task.py` asks them, `verifying.py` verifies answers, and
`mistakes.py` rehearses wrong answers.
"""

from maker_graph.tasks.word_problems.task import WordProblems

__all__ = ["WordProblems"]
