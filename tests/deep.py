"""Votes in an agent of deepagents and in its sub-agents. `nox -s deep` installs deepagents and runs this; pytest does not."""

import sys

from langchain_core.messages import AIMessage

from maker_graph.agents import VotingMiddleware
from tests.agents.shop import ASK, Shop, call, in_turn

WRONG, RIGHT = call("refund", order=8), call("refund", order=7)


def main() -> None:
    """See that only what won acts, and is streamed."""
    from deepagents import create_deep_agent  # type: ignore[import-not-found]  # noqa: PLC0415  pytest looks into this file too

    shop = Shop()
    agent = create_deep_agent(model=in_turn(WRONG, RIGHT), tools=shop.tools, middleware=[VotingMiddleware(k=2)])
    agent.invoke(ASK)
    assert shop.done == [("refund", 7, 0.0)], shop.done

    clerk = {
        "name": "clerk",
        "description": "Gives money back.",
        "system_prompt": "Give the money back.",
        "tools": shop.tools,
        "model": in_turn(WRONG, RIGHT),
        "middleware": [VotingMiddleware(k=2)],
    }
    chief = in_turn(call("task", description="Refund 7.", subagent_type="clerk"))
    vote = VotingMiddleware(k=2, free={"task": ["description"]})
    agent = create_deep_agent(model=chief, tools=[], subagents=[clerk], middleware=[vote])
    streamed = [message for _, (message, _) in agent.stream(ASK, stream_mode="messages", subgraphs=True)]
    calls = [made["args"] for each in streamed if isinstance(each, AIMessage) for made in each.tool_calls]
    assert shop.done == [("refund", 7, 0.0)] * 2, shop.done
    assert [each.get("order") for each in calls] == [None, 7], calls
    sys.stdout.write("Votes work in deepagents.\n")


if __name__ == "__main__":
    main()
