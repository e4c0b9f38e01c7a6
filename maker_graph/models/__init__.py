"""Chat models: what their names mean, how they are asked, how they fail, what they cost; the simulated and the tiny model.

Only this room knows how providers and LangChain's integrations differ. Users import `Budget` and `Gate` from `maker_graph`, and
the simulated model from `maker_graph.simulation`.
"""
