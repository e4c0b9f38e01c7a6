"""The rules of the vote, pure: ballots, stopping rules, red flags, answers, decisions and the step machine.

Nothing here uses a graph, a model, a file, the clock or chance. To check how the voting works, read these files. The public
names are in `maker_graph`, not here.
"""
