"""A voted tool inside an agent: the agent may err in its own words, but what the tool returns is voted on.

python examples/agent_tool.py
"""

from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from maker_graph import create_microstep
from maker_graph.simulation import simulated


class Chatty(GenericFakeChatModel):
    """An agent's model that plays its part from a script, so that this runs without a key."""

    def bind_tools(self, *_: Any, **__: Any) -> "Chatty":
        """Return the model as it is: the script knows the tool."""
        return self


def build(agent_model: Any, model: Any) -> Any:
    """Return an agent with one tool, whose answer is voted on."""
    dose = create_microstep(model, k=4, seed=1)

    def look_up_dose(question: str) -> str:
        """Return the dose in mg per kg of body weight."""
        return str(dose.invoke({"messages": [("user", question)]})["messages"][-1].text)

    return create_agent(agent_model, tools=[look_up_dose])


def main() -> None:
    """Ask the agent. The model of its tool is wrong once in five times; both models are simulated."""
    call = {"name": "look_up_dose", "args": {"question": "Dose of paracetamol, mg per kg?"}, "id": "1"}
    agent_model = Chatty(messages=iter([AIMessage("", tool_calls=[call]), AIMessage("It is given above.")]))
    model = simulated("perfect,error=0.2", {"paracetamol": ["15", "150", "1.5"]})
    result = build(agent_model, model).invoke({"messages": [("user", "How much paracetamol?")]})
    print([f"{message.type}: {message.text}" for message in result["messages"]])


if __name__ == "__main__":
    main()
