"""An agent whose actions are voted on: it refunds, escalates or closes tickets, and the example counts wrong actions.

python examples/voted_agent.py 200
"""

import hashlib
import random
import sys
from collections.abc import Callable
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from maker_graph import Undecided
from maker_graph.agents import VotingMiddleware

TICKETS = [
    ("I was charged twice for order {order}.", "refund"),
    ("Order {order} never came. I want my money back.", "refund"),
    ("Order {order}: your driver hit my fence. My lawyer will write to you.", "escalate"),
    ("Order {order} came, and all is well. Thank you!", "close"),
]
ACTIONS = ("refund", "escalate", "close")


class Clerk(BaseChatModel):
    """A simulated model that treats 3 tickets of 10 wrongly; on some tickets it nearly always errs.

    Its chance of an error is drawn for each ticket, from a beta distribution with the mean `error` and the correlation `rho`.
    """

    error: float = 0.3
    rho: float = 0.2

    @property
    def _llm_type(self) -> str:
        return "clerk"

    def bind_tools(self, *_: Any, seed: int = 0, **__: Any) -> Any:
        """Return the model with the seed of a sample; it knows the tools already."""
        return self.bind(seed=seed)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  LangChain's signature
        run_manager: Any = None,  # noqa: ARG002  as above
        seed: int = 0,
        **_: Any,
    ) -> ChatResult:
        if isinstance(messages[-1], ToolMessage):
            return ChatResult(generations=[ChatGeneration(message=AIMessage("It is done."))])
        ticket = str(messages[-1].text)
        order, right = next(
            (int(order), action)
            for text, action in TICKETS
            for order in ticket.split()[:1]
            if ticket == f"{order} {text.format(order=order)}"
        )
        shape = (1 - self.rho) / self.rho
        hard = random.Random(ticket).betavariate(self.error * shape, (1 - self.error) * shape)  # noqa: S311  simulated
        chance = random.Random(hashlib.sha256(f"{seed} {ticket}".encode()).digest())  # noqa: S311  simulated
        does = right if chance.random() > hard else chance.choice([each for each in ACTIONS if each != right])
        call = {"name": does, "args": {"order": order, "note": f"As asked ({chance.random():.3f})."}, "id": f"{order}-{seed}"}
        return ChatResult(generations=[ChatGeneration(message=AIMessage("", tool_calls=[call]))])


class World:
    """The shop, which writes down what was done to which order."""

    def __init__(self) -> None:
        """Begin with nothing done."""
        self.done: dict[int, str] = {}
        self.notes: list[str] = []

    def tools(self) -> list[Callable[..., str]]:
        """Return the three tools."""

        def refund(order: int, note: str) -> str:
            """Give the money of an order back; `note` is for the files."""
            self._write(order, "refund", note)
            return "The money is on its way."

        def escalate(order: int, note: str) -> str:
            """Give an order to a person of the staff; `note` is for the files."""
            self._write(order, "escalate", note)
            return "A person will look at it."

        def close(order: int, note: str) -> str:
            """Close the ticket of an order; `note` is for the files."""
            self._write(order, "close", note)
            return "The ticket is closed."

        return [refund, escalate, close]

    def _write(self, order: int, action: str, note: str) -> None:
        self.done[order] = action
        self.notes.append(note)


def work(model: Any, vote: VotingMiddleware, tickets: int) -> tuple[int, int, int]:
    """Let an agent work on tickets; return how many were treated wrongly, how many were undecided, and the samples."""
    world, drawn, passed = World(), 0, 0
    agent: Any = create_agent(model, world.tools(), middleware=[vote])
    for order in range(tickets):
        text = TICKETS[order % len(TICKETS)][0].format(order=order)
        try:
            messages = agent.invoke({"messages": [("user", f"{order} {text}")]})["messages"]
        except Undecided as undecided:
            drawn, passed = drawn + undecided.samples, passed + 1
            continue
        drawn += sum(each.response_metadata["maker_graph"]["samples"] for each in messages if isinstance(each, AIMessage))
    wrong = sum(done != TICKETS[order % len(TICKETS)][1] for order, done in world.done.items())
    return wrong, passed, drawn


def main() -> None:
    """Print what happens to the tickets under each rule."""
    tickets = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    free = {action: ["note"] for action in ACTIONS}
    print(f"{tickets} tickets   wrong   left to a person   samples a ticket")
    for k, within in ((1, None), (2, None), (3, None), (3, 5), (3, 3)):
        vote = VotingMiddleware(k=k, within=within, only=ACTIONS, free=free, seed=1)
        wrong, passed, drawn = work(Clerk(), vote, tickets)
        how = f"k={k}" if within is None else f"k={k}, within={within}"
        print(f"{how:<13} {wrong:>5} {passed:>18} {drawn / tickets:>18.1f}")


if __name__ == "__main__":
    main()
