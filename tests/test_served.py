"""The graphs, served by a plain `langgraph dev` and used through langgraph-sdk."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient

from maker_graph.tasks import Hanoi

pytestmark = pytest.mark.xdist_group("served")  # one `langgraph dev`

ROOT = Path(__file__).parents[1]
KEPT = {"path": "./graphs/checkpointer.py:create_checkpointer"}


def project(folder: Path, **config: Any) -> Path:
    """Copy what is served into a folder, so that nothing is left behind in this one."""
    shutil.copytree(ROOT / "graphs", folder / "graphs", ignore=shutil.ignore_patterns("__pycache__"))
    settings = json.loads((ROOT / "langgraph.json").read_text()) | config
    (folder / "langgraph.json").write_text(json.dumps(settings))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@contextmanager
def langgraph_dev(folder: Path, **environment: str) -> Iterator[SyncLangGraphClient]:
    """Run `langgraph dev` in `folder` on a free port of this machine; kill it at the end, and look for blocking calls."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("langgraph")), "dev", "--no-browser", "--no-reload", "--port", str(port)]
    env = {**os.environ, "LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false", "NO_COLOR": "1", **environment}
    with (folder / "log.txt").open("a") as log:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            deadline = time.monotonic() + 90
            while time.monotonic() < deadline:
                assert process.poll() is None, (folder / "log.txt").read_text()
                try:
                    if httpx.get(f"{url}/ok").status_code == 200:
                        break
                except httpx.HTTPError:
                    time.sleep(0.2)
            client = get_sync_client(url=url)
            yield client
            client.http.client.close()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert "BlockingError" not in (folder / "log.txt").read_text()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncLangGraphClient]:
    with langgraph_dev(project(tmp_path_factory.mktemp("served"))) as client:
        yield client


def solved(client: SyncLangGraphClient, graph: str = "hanoi", **settings: Any) -> Any:
    thread = client.threads.create()
    return client.runs.wait(thread["thread_id"], graph, input=settings.pop("input", {}), **settings)


def test_an_empty_input_solves_the_task_and_returns_its_final_state_and_totals(client: SyncLangGraphClient) -> None:
    result = solved(client, context={"disks": 3})
    assert result["state"]["pegs"] == [[], [], [3, 2, 1]]
    assert (result["step"], result["done"]) == (7, True)
    assert result["totals"]["samples"] >= 7 * 4


def said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def test_chat_messages_get_one_voted_answer_without_a_key(client: SyncLangGraphClient) -> None:
    asked = [said(*message) for message in Hanoi(3).prompt(Hanoi(3).start())]
    result = solved(client, "microstep", input={"messages": asked}, context={"seed": 3})
    assert [message["type"] for message in result["messages"]] == ["system", "human", "ai"]
    assert "move = [1, 0, 2]" in result["messages"][2]["content"]


def error_of(client: SyncLangGraphClient, graph: str, messages: list[dict[str, str]] | None, context: Any) -> str:
    """Return the message with which a run ends at once."""
    thread = client.threads.create()
    given: Any = {} if messages is None else {"messages": messages}
    (error,) = [
        each.data
        for each in client.runs.stream(thread["thread_id"], graph, input=given, context=context)
        if each.event == "error"
    ]
    assert "Traceback" not in error["message"]
    return str(error["message"])


@pytest.mark.parametrize("model", ["sim:gpt-oss-20b", "tiny"])
def test_a_real_question_to_a_model_that_ships_is_an_error_that_says_which_model_to_name(
    client: SyncLangGraphClient, model: str
) -> None:
    error = error_of(client, "microstep", [said("user", "The capital of France?")], {"model": model})
    assert error.startswith(f"{model} has no answer to this")
    assert '{"model": "openai:gpt-4.1-mini"}' in error


BOMB = "List the next 3000000 moves.\nin the order 0 -> 2 -> 1 -> 0\nPrevious move: none\nCurrent state: [[3, 2, 1], [], []]"


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([said("user", BOMB)], "has no answer to this"),
        ([said("user", "x" * 300_000)], "too long"),
        ([], "no message to answer"),
    ],
    ids=["draft", "long", "empty"],
)
def test_no_message_stops_the_server(client: SyncLangGraphClient, messages: list[dict[str, str]], words: str) -> None:
    assert words in error_of(client, "microstep", messages, {})


VOTED_AGENT = """
from langchain.agents import create_agent
from maker_graph.agents import VotingMiddleware
from tests.agents.shop import Shop, call, in_turn

def create():
    model = in_turn(call("refund", order=8), call("refund", order=7))
    return create_agent(model, Shop().tools, middleware=[VotingMiddleware(k=2)])
"""


def test_an_agent_that_votes_is_served_and_nothing_in_it_blocks(tmp_path: Path) -> None:
    graphs = {"agent": "./graphs/agent.py:create"}
    folder = project(tmp_path, graphs=graphs)
    (folder / "graphs" / "agent.py").write_text(VOTED_AGENT)
    with langgraph_dev(folder, PYTHONPATH=str(ROOT)) as client:
        result = solved(client, "agent", input={"messages": [said("user", "Please refund order 7.")]})
    asked, acted = result["messages"][1:3]
    assert asked["tool_calls"][0]["args"] == {"order": 7}
    assert asked["response_metadata"]["maker_graph"]["votes"] == [1, 3]
    assert acted["content"] == "refunded"


@pytest.mark.parametrize("graph", ["hanoi", "microstep"])
def test_settings_have_descriptions_and_the_drawing_shows_the_vote(client: SyncLangGraphClient, graph: str) -> None:
    (assistant,) = client.assistants.search(graph_id=graph, limit=1)
    schema = client.assistants.get_schemas(assistant["assistant_id"])["context_schema"]
    assert schema is not None
    assert all(setting["description"] for setting in schema["properties"].values())
    nodes = {node["id"] for node in client.assistants.get_graph(assistant["assistant_id"], xray=True)["nodes"]}
    assert {"microstep:sample", "microstep:red_flag", "microstep:vote"} <= nodes


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"disks": 99}, "disks: Input should be less than or equal to 20"),
        ({"k": "many"}, "k: Input should be a valid integer"),
        ({"model": "gpt-4.1-mini"}, "provider:model"),
        ({"model": "openai:gpt-4.1-mini"}, "OPENAI_API_KEY"),
        ({"model": "sim:perfect,latency=1e9"}, "latency of at most 5"),
        ({"max_samples": 10**12, "seed": 2**40}, "max_samples: Input should be less than or equal to 1000; seed:"),
    ],
)
def test_a_wrong_setting_gives_a_clear_error(client: SyncLangGraphClient, context: dict[str, Any], words: str) -> None:
    assert words in error_of(client, "hanoi", None, context)


def test_assistants_with_different_k(client: SyncLangGraphClient) -> None:
    samples = []
    for k in (2, 5):
        assistant = client.assistants.create("hanoi", context={"disks": 3, "model": "sim:perfect", "k": k})
        samples.append(solved(client, assistant["assistant_id"])["totals"]["samples"])
    assert samples == [14, 35]


def test_ballots_stream_out_of_the_subgraph(client: SyncLangGraphClient) -> None:
    thread = client.threads.create()
    events = client.runs.stream(
        thread["thread_id"], "hanoi", input={}, context={"disks": 3}, stream_mode="custom", stream_subgraphs=True
    )
    told = [event.data for event in events if event.event.startswith("custom")]
    decisions = [each["decision"] for each in told if "decision" in each]
    assert sum("round" in each for each in told) == sum(decision["rounds"] for decision in decisions)
    assert len(decisions) == 7
    assert all(decision["status"] == "decided" for decision in decisions)


def test_an_undecided_step_asks_a_person_and_goes_on_with_the_answer(client: SyncLangGraphClient) -> None:
    settings: Any = {"disks": 1, "model": "sim:perfect,flagged=1", "max_samples": 5}
    thread = client.threads.create()
    (question,) = client.runs.wait(thread["thread_id"], "hanoi", input={}, context=settings)["__interrupt__"]  # type: ignore[call-overload]
    assert sum(question["value"]["flags"].values()) == 3 * 4, "on each rung a second round of four would be more than five"
    wrong = client.runs.wait(thread["thread_id"], "hanoi", command={"resume": "I do not know"}, context=settings)
    assert "malformed" in wrong["__interrupt__"][0]["value"]["problem"]  # type: ignore[call-overload]
    right = "move = [1, 0, 2]\nnext_state = [[], [], [1]]"
    result: Any = client.runs.wait(thread["thread_id"], "hanoi", command={"resume": right}, context=settings)
    assert (result["done"], result["state"]["pegs"]) == (True, [[], [], [1]])


def test_a_contested_step_asks_a_person_after_one_vote(client: SyncLangGraphClient) -> None:
    settings: Any = {"disks": 1, "model": "sim:perfect,error=.5", "check": False, "k": 5, "within": 5}
    thread = client.threads.create()
    (question,) = client.runs.wait(thread["thread_id"], "hanoi", input={}, context=settings)["__interrupt__"]  # type: ignore[call-overload]
    asked = question["value"]
    assert (asked["passed"], asked["samples"], sum(asked["ballot"].values())) == (True, 5, 5)
    right = "move = [1, 0, 2]\nnext_state = [[], [], [1]]"
    result: Any = client.runs.wait(thread["thread_id"], "hanoi", command={"resume": right}, context=settings)
    assert result["done"]
    assert "raise within or lower k" in error_of(client, "hanoi", None, {"k": 5, "within": 4})


def test_a_cancelled_run_goes_on_where_it_was(client: SyncLangGraphClient) -> None:
    slow: Any = {"disks": 5, "model": "sim:perfect,latency=0.02", "k": 2}
    thread = client.threads.create()
    run = client.runs.create(thread["thread_id"], "hanoi", input={}, context=slow, durability="sync")
    while (step := (client.threads.get_state(thread["thread_id"])["values"] or {}).get("step", 0)) < 3:  # type: ignore[union-attr]
        time.sleep(0.05)
    client.runs.cancel(thread["thread_id"], run["run_id"], wait=True)
    assert client.threads.get_state(thread["thread_id"])["values"]["step"] < 31  # type: ignore[call-overload]
    result: Any = client.runs.wait(thread["thread_id"], "hanoi", input=None, context=slow)
    assert step >= 3
    assert (result["step"], result["done"], result["totals"]["samples"]) == (31, True, 62)


def test_time_travel_and_a_fork(client: SyncLangGraphClient) -> None:
    settings: Any = {"disks": 3, "model": "sim:perfect", "k": 2}
    thread = client.threads.create()
    whole: Any = client.runs.wait(thread["thread_id"], "hanoi", input={}, context=settings)
    history = client.threads.get_history(thread["thread_id"], limit=50)
    then = next(state for state in history if state["values"].get("step") == 3 and state["next"] == ["microstep"])  # type: ignore[union-attr]
    again: Any = client.runs.wait(
        thread["thread_id"], "hanoi", input=None, context=settings, checkpoint_id=then["checkpoint"]["checkpoint_id"]
    )
    assert again == whole
    fork = client.threads.update_state(
        thread["thread_id"],
        {"state": {"pegs": [[3, 2], [1], []], "previous": [1, 0, 1]}, "step": 1, "digest": "forked"},
        checkpoint_id=then["checkpoint"]["checkpoint_id"],
        as_node="commit",
    )
    forked: Any = client.runs.wait(
        thread["thread_id"], "hanoi", input=None, context=settings, checkpoint_id=fork["checkpoint"]["checkpoint_id"]
    )
    assert (forked["step"], forked["done"]) == (7, True)
    assert forked["state"] != whole["state"]


@pytest.mark.parametrize("where", ["file", pytest.param("postgres", marks=pytest.mark.service("postgres"))])
def test_a_run_survives_the_servers_restart_with_checkpoints_that_are_kept(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kept = {"MAKER_GRAPH_CHECKPOINTS": str(request.getfixturevalue("database"))} if where == "postgres" else {}
    folder = project(tmp_path, checkpointer=KEPT)
    settings: Any = {"disks": 6, "model": "sim:perfect,latency=0.01", "k": 2}
    with langgraph_dev(folder, **kept) as client:
        thread = client.threads.create()["thread_id"]
        client.runs.create(thread, "hanoi", input={}, context=settings, durability="sync")
        while (client.threads.get_state(thread)["values"] or {}).get("step", 0) < 5:  # type: ignore[union-attr]
            time.sleep(0.05)
    with langgraph_dev(folder, MAKER_GRAPH_MAX_CALLS="130", MAKER_GRAPH_MAX_COST="1", **kept) as client:
        client.threads.create(thread_id=thread, if_exists="do_nothing")
        events = list(client.runs.stream(thread, "hanoi", input=None, context=settings, stream_mode="values"))
        spent = error_of(client, "hanoi", None, settings)
    assert "limit of 130 calls is reached" in spent, "one budget for all runs of the process"
    assert "MAKER_GRAPH_MAX_CALLS" in spent
    steps = [event.data["step"] for event in events if event.event == "values"]
    assert 5 <= steps[0] < 63, "it goes on where it was"
    result: Any = events[-1].data
    assert (result["step"], result["done"], result["totals"]["samples"]) == (63, True, 126)
    if where == "postgres":
        with psycopg.connect(kept["MAKER_GRAPH_CHECKPOINTS"]) as db:
            assert db.execute("SELECT count(DISTINCT thread_id) FROM checkpoints").fetchone() == (2,)


LOGGED = """
from maker_graph import JournalLog, create_maker
from maker_graph.tasks import Hanoi

log = JournalLog(Hanoi(4), "tower", {place!r})
graph = create_maker(Hanoi(4), model="sim:gpt-oss-20b", k=3, log=log).compile()
"""


@pytest.mark.service("postgres")
def test_a_journal_behind_a_served_graph_blocks_nothing(tmp_path: Path, database: str) -> None:
    places = {"folder": str(tmp_path / "runs"), "postgres": database}
    folder = project(tmp_path, graphs={name: f"./graphs/{name}.py:graph" for name in places})
    for name, place in places.items():
        (folder / "graphs" / f"{name}.py").write_text(LOGGED.format(place=place))
    with langgraph_dev(folder) as client:
        for name in places:
            assert solved(client, name)["step"] == 15
            assert solved(client, name)["totals"] == solved(client, name)["totals"], "another thread finds the log at its end"


def test_the_page_says_what_helps_and_what_langgraph_dev_is_not_for() -> None:
    page = (ROOT / "docs" / "serving.md").read_text()
    for words in ("LANGGRAPH_CLI_NO_ANALYTICS", "--n-jobs-per-worker", "not for runs of days"):
        assert words in page
    assert json.dumps({"checkpointer": KEPT}) in page, "the setting that the test above uses"


PAGES = '''
"""A task of parts, served."""
from maker_graph import create_maker

class Word:
    def prompt(self, state):
        return f"word {state}"
    def parse(self, text):
        return text
    def rehearse(self, state):
        from maker_graph.simulation import Replies
        return Replies(f"word {state}", ["wrong"])

class Count:
    by = "program"
    def answer(self, state, step):
        return step

class Pages:
    parts = {"choose": Word(), "count": Count(), "verdict": Word()}
    def start(self):
        return 0
    def part(self, state):
        return None if state == 6 else ("choose", "count", "verdict")[state % 3]
    def apply(self, state, answer):
        return state + 1

graph = create_maker(Pages(), model="sim:perfect", k={"verdict": 1}, seed=1).compile()
'''


def test_the_parts_of_a_task_are_the_nodes_of_its_served_graph(tmp_path: Path) -> None:
    folder = project(tmp_path, graphs={"pages": "./graphs/pages.py:graph"})
    (folder / "graphs" / "pages.py").write_text(PAGES)
    with langgraph_dev(folder) as client:
        (assistant,) = client.assistants.search()
        drawn = client.assistants.get_graph(assistant["assistant_id"])
        assert {"start", "choose", "count", "verdict", "escalate", "commit"} <= {node["id"] for node in drawn["nodes"]}
        result = solved(client, "pages")
        assert (result["state"], result["done"], result["totals"]["samples"]) == (6, True, 2 * (3 + 1))
        thread = client.threads.create()
        updates = client.runs.stream(thread["thread_id"], "pages", input={}, stream_mode="updates")
        seen = [name for event in updates if event.event == "updates" for name in event.data]
        assert [name for name in seen if name in {"choose", "count", "verdict"}] == ["choose", "count", "verdict"] * 2
