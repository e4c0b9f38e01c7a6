"""What a RetryPolicy may try again: an outage, and no vote."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import RetryPolicy

import maker_graph
from maker_graph import MakerError, ProviderFailure, Undecided, create_microstep, retry_on
from tests.conftest import Scripted

QUICK: dict[str, Any] = {"initial_interval": 0.001, "max_interval": 0.001, "jitter": False}
ERRORS = [
    kind("no") if kind is not Undecided else Undecided("no.", {}, {}, 1)
    for name in maker_graph.__all__
    if isinstance(kind := getattr(maker_graph, name), type) and issubclass(kind, MakerError)
]


def app(node: Any, policy: RetryPolicy, **compiled: Any) -> Any:
    return StateGraph(MessagesState).add_node("vote", node, retry_policy=policy).add_edge(START, "vote").compile(**compiled)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_no_error_of_ours_is_tried_again_by_langgraphs_default_or_by_retry_on(error: MakerError) -> None:
    default = RetryPolicy().retry_on
    assert callable(default)
    assert (default(error), retry_on(error)) == (False, False)


@pytest.mark.parametrize("policy", [RetryPolicy(**QUICK), RetryPolicy(retry_on=retry_on, **QUICK)])
def test_an_undecided_vote_is_taken_once(policy: RetryPolicy) -> None:
    drawn: list[int] = []

    def script(i: int, _: str) -> str:
        drawn.append(i)
        return "ab"[i % 2]

    with pytest.raises(Undecided):
        app(create_microstep(Scripted(script=script), k=3, max_samples=10), policy).invoke({"messages": [("user", "?")]})
    assert len(drawn) <= 10


def test_a_failure_says_whether_it_may_pass() -> None:
    assert retry_on(ProviderFailure("down", 503, passes=True))
    assert not retry_on(ProviderFailure("no such model", 404))


def test_others_errors_are_tried_again_as_by_default() -> None:
    assert retry_on(ConnectionError("reset"))
    assert not retry_on(TypeError("no"))


def test_under_a_checkpointer_a_vote_that_is_tried_again_after_an_outage_goes_on_with_the_samples_it_has() -> None:
    drawn: list[int] = []

    def script(i: int, _: str) -> str:
        drawn.append(i)
        if i == 2 and drawn.count(2) == 1:
            raise ConnectionError("reset")
        return "2"

    node = create_microstep(Scripted(script=script), k=3, calls={"patience": 0.0001})
    policy = RetryPolicy(retry_on=retry_on, **QUICK)
    result = app(node, policy, checkpointer=InMemorySaver()).invoke(
        {"messages": [("user", "?")]}, {"configurable": {"thread_id": "1"}}
    )
    assert result["messages"][-1].text == "2"
    assert sorted(drawn) == [0, 1, 2, 2]
