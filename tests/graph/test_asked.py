"""What a microstep is asked: once in the checkpoints, wherever the microstep stands, and there again after a crash."""

import operator
import time
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from maker_graph import FirstTo, Invalid, Majority, Undecided, Unknown, UsageError, Valid, create_microstep
from tests.conftest import Scripted, replies

HERE: Any = {"configurable": {"thread_id": "1"}}
LONG = "A" * 1_000_000


class Ticket(TypedDict, total=False):
    """A ticket, and what is kept beside it."""

    body: str
    attachment: str
    route: Any


def app_of(node: Any, state: type[Any], saver: Any = None) -> Any:
    return StateGraph(state).add_node("vote", node).add_edge(START, "vote").compile(checkpointer=saver)


def stored(node: Any, state: type[Any], given: Any) -> int:
    """Return how many bytes SQLite's saver keeps of one turn."""
    with SqliteSaver.from_conn_string(":memory:") as saver:
        app_of(node, state, saver).invoke(given, HERE)
        parts = [("checkpoint", "checkpoints"), ("value", "writes")]
        return sum(saver.conn.execute(f"SELECT sum(length({c})) FROM {t}").fetchone()[0] for c, t in parts)  # noqa: S608  ours


@pytest.mark.parametrize("script", [("x",), ("x", *[""] * 19, "x")])
def test_a_vote_keeps_what_it_is_asked_about_as_often_as_a_plain_node_however_many_samples_it_takes(script: Any) -> None:
    given = {"messages": [HumanMessage(LONG)]}
    plain = stored(lambda _: {"messages": [AIMessage("x")]}, MessagesState, given)
    node = create_microstep(Scripted(script=replies(*script)), k=2, stuck_after=30)
    assert stored(node, MessagesState, given) < 2.2 * plain


def test_keys_that_the_prompt_does_not_need_are_not_kept_either() -> None:
    given: Any = {"body": "?", "attachment": LONG}
    plain = stored(lambda _: {"route": "x"}, Ticket, given)
    node = create_microstep(
        Scripted(script=replies("x", "", "", "x")), state=Ticket, prompt=lambda s: s["body"], into="route", k=3
    )
    assert stored(node, Ticket, given) < 2.2 * plain


def test_the_prompt_is_made_once_for_all_rounds() -> None:
    made = []

    def prompt(state: Ticket) -> str:
        made.append(state["body"])
        return state["body"]

    script = replies("a", "b", "a", "b", "a", "a", "a", "a")
    node = create_microstep(Scripted(script=script), state=Ticket, prompt=prompt, into="route", k=3)
    assert app_of(node, Ticket).invoke({"body": "?"})["route"] == "a"
    assert made == ["?"]


@pytest.mark.parametrize("standing", ["a node", "in a node", "by itself", "in an entrypoint"])
def test_a_vote_that_crashed_goes_on_with_what_it_was_asked_and_pays_for_no_sample_twice(standing: str) -> None:
    drawn: list[int] = []

    def script(i: int, asked: str) -> str:
        assert asked == "about a"
        drawn.append(i)
        if i == 3 and drawn.count(3) == 1:
            time.sleep(0.2)  # the others of the round are there, and kept
            raise RuntimeError("the process ends")
        return "" if i < 3 else "x"

    def check(state: Ticket, _: Any) -> bool:
        return state["body"] == "a"

    node: Any = create_microstep(
        Scripted(script=script), state=Ticket, prompt=lambda s: f"about {s['body']}", check=check, into="route", k=3
    )
    saver = InMemorySaver()
    if standing == "a node":
        app = app_of(node, Ticket, saver)
    elif standing == "in a node":
        app = app_of(lambda state: node.invoke(state), Ticket, saver)  # noqa: PLW0108  LangGraph looks at its signature
    elif standing == "by itself":
        app = node.copy({"checkpointer": saver})
    else:

        @entrypoint(checkpointer=saver)
        def app(given: dict[str, Any]) -> Any:
            return node.invoke(given)

    with pytest.raises(Exception, match="the process ends"):
        app.invoke({"body": "a"}, HERE)
    assert app.invoke(None, HERE)["route"] == "x"
    assert sorted(drawn) == [0, 1, 2, 3, 3, 4, 5]


@pytest.mark.parametrize("alone", [False, True])
def test_a_person_is_asked_what_the_models_were_and_the_reply_is_checked_against_the_same_state(alone: bool) -> None:
    def check(state: Ticket, answer: str) -> bool:
        if answer != state["body"]:
            raise Invalid(f"It is {state['body']}.")
        return True

    node: Any = create_microstep(
        Scripted(script=replies("b")),
        state=Ticket,
        prompt=lambda s: f"Say {s['body']}",
        check=check,
        into="route",
        stuck_after=3,
        on_undecided="interrupt",
    )
    saver = InMemorySaver()
    app: Any = node.copy({"checkpointer": saver}) if alone else app_of(node, Ticket, saver)
    (question,) = app.invoke({"body": "a"}, HERE)["__interrupt__"]
    assert question.value["prompt"] == [{"role": "human", "content": "Say a"}]
    (again,) = app.invoke(Command(resume="c"), HERE)["__interrupt__"]
    assert again.value["problem"] == "The answer was not taken: it is invalid: It is a."
    assert app.invoke(Command(resume="a"), HERE)["route"] == "a"


def test_two_votes_within_a_vote_know_each_what_they_were_asked() -> None:
    inner = create_microstep(Scripted(script=lambda _, asked: asked.upper()), k=2)
    node = create_microstep(inner, state=Ticket, prompt=lambda s: s["body"], into="route", k=2)
    assert app_of(node, Ticket, InMemorySaver()).invoke({"body": "abc"}, HERE)["route"] == "ABC"


async def test_prompt_and_check_may_be_awaited() -> None:
    async def prompt(state: Ticket) -> str:
        return f"about {state['body']}"

    async def check(state: Ticket, answer: str) -> bool:
        if answer == "b":
            raise Invalid(f"not for {state['body']}")
        return True

    asked: list[str] = []

    def script(i: int, text: str) -> str:
        asked.append(text)
        return "b" if i == 0 else "a"

    node = create_microstep(Scripted(script=script), state=Ticket, prompt=prompt, check=check, into="route", k=2)
    assert (await app_of(node, Ticket, InMemorySaver()).ainvoke({"body": "x"}, HERE))["route"] == "a"
    assert asked == ["about x"] * 3
    with pytest.raises(UsageError, match="prompt is a coroutine function: call the graph with ainvoke"):
        node.invoke({"body": "x"})


async def test_a_verifier_may_be_awaited() -> None:
    async def verify(state: Ticket, answer: str) -> Valid | Unknown:
        return Valid(f"{answer} is of {state['body']}", conclusive=True) if answer == state["body"] else Unknown()

    model = Scripted(script=replies("b", "x"), log=[])
    node = create_microstep(model, state=Ticket, prompt=lambda _: "?", verify=verify, into="route", k=2)
    assert (await app_of(node, Ticket, InMemorySaver()).ainvoke({"body": "x"}, HERE))["route"] == "x"
    assert len(model.log) == 2, "one sample, and the one that the rule still lacks, which is proved"
    with pytest.raises(UsageError, match="verify is a coroutine function: call the graph with ainvoke"):
        node.invoke({"body": "x"})


async def test_a_check_that_is_awaited_is_read_as_strictly_as_any_other() -> None:
    async def check(_: Ticket, __: str) -> Any:
        return None

    node = create_microstep(Scripted(script=replies("b")), state=Ticket, prompt=lambda _: "?", check=check, into="route")
    with pytest.raises(UsageError, match="must return True or False"):
        await node.ainvoke({"body": "x"})


@pytest.mark.parametrize("saver", [None, InMemorySaver()])
async def test_under_astream_events_the_callers_keys_stay_as_they_were_and_no_reducer_counts_them_twice(saver: Any) -> None:
    class Log(TypedDict, total=False):
        body: str
        route: Any
        log: Annotated[list[str], operator.add]

    node = create_microstep(Scripted(script=replies("a", "b")), state=Log, prompt=lambda s: s["body"], into="route", k=2)
    app = app_of(node, Log, saver)
    events = [event async for event in app.astream_events({"body": "?", "log": ["x"]}, HERE, version="v2")]
    assert events[-1]["data"]["output"] == {"body": "?", "log": ["x"], "route": "b"}


@pytest.mark.parametrize("standing", ["by itself", "a persistent node"])
@pytest.mark.parametrize("k", [2, 3, FirstTo(2), Majority(3)])
def test_each_question_on_a_thread_is_voted_on_from_nothing(standing: str, k: Any) -> None:
    drawn: list[str] = []

    def script(i: int, asked: str) -> str:
        drawn.append(asked)
        return "" if i == 0 else asked.upper()  # each vote has a red flag too

    node: Any = create_microstep(
        Scripted(script=script), state=Ticket, prompt=lambda s: s["body"], into="route", decision="attachment", k=k
    )
    own: Any = InMemorySaver() if standing == "by itself" else True
    app: Any = node.copy({"checkpointer": own})
    if standing != "by itself":
        app = app_of(app, Ticket, InMemorySaver())
    alone = [node.invoke({"body": body})["attachment"] for body in "abc"]
    paid, drawn[:] = len(drawn), []
    told = [app.invoke({"body": body}, HERE) for body in "abc"]
    assert [each["route"] for each in told] == ["A", "B", "C"]
    assert [each["attachment"] for each in told] == alone
    assert len(drawn) == paid


def test_nor_do_the_votes_of_a_question_that_was_left_undecided_count_for_the_next() -> None:
    def script(i: int, asked: str) -> str:
        return f"{asked}{i % 2}" if asked == "a" else asked

    node: Any = create_microstep(
        Scripted(script=script),
        state=Ticket,
        prompt=lambda s: s["body"],
        into="route",
        decision="attachment",
        k=2,
        max_samples=4,
    ).copy({"checkpointer": InMemorySaver()})
    with pytest.raises(Undecided):
        node.invoke({"body": "a"}, HERE)
    assert node.invoke({"body": "b"}, HERE)["attachment"]["ballot"] == {'"b"': 2}
