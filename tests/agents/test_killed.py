"""An agent's process that is killed between the vote and the tool: what won acts, and is not voted on again."""

import signal
import subprocess
import sys
from pathlib import Path

AGENT = """
import os, signal, sys
from pathlib import Path
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from maker_graph.agents import VotingMiddleware
from tests.agents.shop import ASK, call, told

def refund(order: int) -> str:
    "Give the money back."
    if not Path("killed").exists():
        Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    with open("done", "a") as file:
        file.write(f"{order} ")
    return "refunded"

def says(number, messages):
    with open("asked", "a") as file:
        file.write(f"{messages[-1].type} ")
    return call("refund", order=7) if isinstance(messages[-1], HumanMessage) else "Done."

with SqliteSaver.from_conn_string("agent.sqlite") as saver:
    agent = create_agent(told(says), [refund], middleware=[VotingMiddleware(k=3)], checkpointer=saver)
    config = {"configurable": {"thread_id": "1"}}
    given = ASK if sys.argv[1] == "ask" else None
    print(agent.invoke(given, config, durability="sync")["messages"][-1].text)
"""


def test_after_a_kill_the_tool_acts_on_what_won_and_nothing_is_voted_on_again(tmp_path: Path) -> None:
    def run(what: str) -> "subprocess.CompletedProcess[str]":
        path = [str(Path(__file__).parents[2])]
        code = f"import sys; sys.path[:0] = {path!r}\n{AGENT}"
        return subprocess.run([sys.executable, "-c", code, what], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run("ask").returncode == -signal.SIGKILL
    assert (tmp_path / "asked").read_text() == "human " * 3
    ended = run("resume")
    assert ended.stdout == "Done.\n", ended.stderr
    assert (tmp_path / "done").read_text() == "7 "
    assert (tmp_path / "asked").read_text() == "human " * 3 + "tool " * 3
