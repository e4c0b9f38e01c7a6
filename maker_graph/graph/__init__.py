"""The LangGraph graphs: the microstep, the ladder, the outer machine, and lookahead.

Only this room builds graphs. Not for users: `create_microstep` and `create_maker` are in `maker_graph`.
"""
