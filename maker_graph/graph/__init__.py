"""The LangGraph graphs: the microstep, the ladder, the outer machine, and lookahead."""
