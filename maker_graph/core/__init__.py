"""The rules of the vote, pure: ballots, stopping rules, red flags, answers, decisions and the step machine.

Nothing here knows a graph, a model, a file, the clock or chance. Whoever doubts the voting reads these files. Not for users:
the public names are in `maker_graph`.
"""
