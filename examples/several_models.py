"""Several models in one ballot: each sample asks one of them, drawn by its number.

Models of different makers rarely make the same mistake, so a wrong answer is less likely to lead.

    python examples/several_models.py
"""

from collections.abc import Sequence
from typing import Any

from langgraph.graph import START, MessagesState, StateGraph

from maker_graph import create_microstep
from maker_graph.simulation import simulated


def build(models: Sequence[Any]) -> Any:
    """Return a chat app that several models answer together."""
    graph = StateGraph(MessagesState)
    graph.add_node("answer", create_microstep(models, k=3, seed=1))
    return graph.add_edge(START, "answer").compile()


def main() -> None:
    """Ask two simulated models, each with a favourite mistake of its own."""
    one = simulated("perfect,error=0.4,favourite=1", {"longest river": ["Nile", "Amazon"]}, seed=1)
    two = simulated("perfect,error=0.4,favourite=1", {"longest river": ["Nile", "Yangtze"]}, seed=2)
    print(build([one, two]).invoke({"messages": [("user", "The longest river, in one word?")]})["messages"][-1].text)


if __name__ == "__main__":
    main()
