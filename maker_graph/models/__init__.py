"""Chat models: what a name stands for, how they are asked, how they fail, what they cost; the simulated and the tiny one.

Only this room knows what providers and LangChain's integrations do differently. Not for users: `Budget` and `Gate` are in
`maker_graph`, the simulated model in `maker_graph.simulation`.
"""
