"""Voted decisions for LangChain's `create_agent`: one line in its list of middleware.

    from maker_graph.agents import VotingMiddleware

    agent = create_agent("openai:gpt-4.1-mini", tools, middleware=[VotingMiddleware(k=3)])

It needs the package `langchain`: pip install 'maker-graph[agents]'.
"""

from maker_graph.extras import need_extra

need_extra("agents", "maker_graph.agents", "langchain")

from maker_graph.agents.middleware import VotingMiddleware  # noqa: E402  first it is checked that langchain is there
from maker_graph.agents.rule import AheadByTool  # noqa: E402  as above

__all__ = ["AheadByTool", "VotingMiddleware"]
