"""The rules, pure: ballots, stopping rules, red flags, decisions and the maths of planning.

Nothing here knows a graph, a model, a file, the clock or chance. Whoever doubts the voting reads these files.
"""
