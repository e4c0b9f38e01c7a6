"""The LangGraph graphs: the microstep, the ladder, the outer machine, and lookahead.

No other room builds graphs. Users import `create_microstep` and `create_maker` from `maker_graph`.
"""
