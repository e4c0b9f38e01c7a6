"""A voted node in a graph with a state of its own, beside a plain node.

python examples/own_state.py
"""

from typing import Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from maker_graph import create_microstep
from maker_graph.simulation import simulated


class Order(TypedDict, total=False):
    """A line of an order."""

    line: str
    quantity: int
    total: float


def build(model: Any) -> Any:
    """Return an app that reads a quantity by vote and computes the total in code."""
    quantity = create_microstep(
        model,
        state=Order,
        prompt=lambda s: f"How many pieces? Only the number. {s['line']}",
        answer=int,
        into="quantity",
        k=3,
        seed=1,
    )
    graph = StateGraph(Order).add_node("quantity", quantity)
    graph.add_node("total", lambda s: {"total": 2.5 * s["quantity"]})
    return graph.add_edge(START, "quantity").add_edge("quantity", "total").compile()


def main() -> None:
    """Read a line with a simulated model that is wrong once in five times."""
    model = simulated("perfect,error=0.2", {"two dozen": ["24", "12", "2 dozen"]})
    print(build(model).invoke({"line": "two dozen brass hinges"}))


if __name__ == "__main__":
    main()
