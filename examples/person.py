"""An undecided vote, answered by a person: the graph waits in its checkpoint until somebody replies.

python examples/person.py
"""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from maker_graph import create_microstep
from maker_graph.simulation import simulated


def build(model: Any) -> Any:
    """Return a chat app that asks a person when its model cannot agree with itself."""
    graph = StateGraph(MessagesState)
    graph.add_node("answer", create_microstep(model, k=5, max_samples=12, on_undecided="interrupt", seed=3))
    return graph.add_edge(START, "answer").compile(checkpointer=InMemorySaver())


def main() -> None:
    """Ask a simulated model that gives each of two answers half of the time, then reply in its place."""
    app = build(simulated("perfect,error=0.5,favourite=1", {"tabs or spaces": ["tabs", "spaces"]}, seed=3))
    config = {"configurable": {"thread_id": "1"}}
    waiting = app.invoke({"messages": [("user", "tabs or spaces?")]}, config)["__interrupt__"][0].value
    print(waiting["question"], waiting["ballot"])
    print(app.invoke(Command(resume="spaces"), config)["messages"][-1].text)


if __name__ == "__main__":
    main()
