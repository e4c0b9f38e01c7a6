"""A voted answer in a graph of messages: one AIMessage is appended, however many samples were drawn.

python examples/messages.py
"""

from typing import Any

from langgraph.graph import START, MessagesState, StateGraph

from maker_graph import create_microstep
from maker_graph.simulation import simulated


def build(model: Any) -> Any:
    """Return a chat app whose answer is voted on."""
    graph = StateGraph(MessagesState)
    graph.add_node("answer", create_microstep(model, k=3, seed=1))
    graph.add_edge(START, "answer")
    return graph.compile()


def main() -> None:
    """Ask a simulated model that is wrong once in five times."""
    model = simulated("perfect,error=0.2", {"capital of Australia": ["Canberra", "Sydney", "Melbourne"]})
    result = build(model).invoke({"messages": [("user", "The capital of Australia, in one word?")]})
    print([f"{message.type}: {message.text}" for message in result["messages"]])


if __name__ == "__main__":
    main()
