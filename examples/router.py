"""A voted router: the graph goes on only when one answer leads by k.

python examples/router.py
"""

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel
from typing_extensions import TypedDict

from maker_graph import create_microstep
from maker_graph.simulation import simulated


class Ticket(TypedDict, total=False):
    """A ticket, the queue it goes to, and who handled it."""

    body: str
    route: dict[str, str]
    handled_by: str


class Route(BaseModel):
    """Where a ticket goes; the reason may differ from sample to sample."""

    queue: Literal["billing", "technical"]
    reason: str


def build(model: Any) -> Any:
    """Return an app that hands a ticket to the queue that was voted for."""
    ask = "Which queue, billing or technical? Reply with JSON {{'queue': ..., 'reason': ...}}. Ticket: {body}"
    vote = create_microstep(
        model, state=Ticket, prompt=lambda s: ask.format(**s), answer=Route, key=lambda r: r.queue, into="route", seed=1
    )
    graph = StateGraph(Ticket).add_node("vote", vote)
    for queue in ("billing", "technical"):
        graph.add_node(queue, lambda _, queue=queue: {"handled_by": queue}).add_edge(queue, END)
    return graph.add_edge(START, "vote").add_conditional_edges("vote", lambda s: s["route"]["queue"]).compile()


def main() -> None:
    """Route a ticket with a simulated model that is wrong once in five times."""
    right, wrong = '{"queue": "billing", "reason": "money"}', '{"queue": "technical", "reason": "an error"}'
    model = simulated("perfect,error=0.2", {"charged twice": [right, wrong]})
    print(build(model).invoke({"body": "I was charged twice after the error."})["handled_by"])


if __name__ == "__main__":
    main()
