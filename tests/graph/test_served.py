"""The settings of a served graph come from the context of its run, and have bounds; a budget comes from the environment."""

from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maker_graph import AheadBy, Budget, LimitReached, UsageError, create_microstep
from maker_graph.core.judging import Usage
from maker_graph.graph import served
from maker_graph.graph.served import ServedContext, calls_for, see_question, settings_of
from maker_graph.models.names import info_of
from maker_graph.tasks import Hanoi


@pytest.fixture(autouse=True)
def _no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "_budgets", {})
    for name in (served.COST, served.CALLS):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "given",
    [
        {"k": 101},
        {"k": 0},
        {"within": 0},
        {"within": 1001},
        {"max_samples": 10**12},
        {"max_tokens": 10**18},
        {"seed": 10**40},
        {"seed": -1},
        {"model": "openai:" + "x" * 10_000},
        {"model": "sim:perfect,latency=1e9"},
        {"model": "sim:perfect,latency=5.1"},
        {"model": "sim:perfect,output_tokens=100001"},
        {"model": "sim:gpt-oss-20b,max_tokens=999999999"},
        {"base_url": "http://127.0.0.1"},
    ],
)
def test_what_a_caller_may_ask_has_a_bound(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServedContext.model_validate(given)


@pytest.mark.parametrize(
    "model", ["sim:perfect,latency=nan", "sim:perfect,latency=1e999", "sim:perfect,output_tokens=" + "9" * 60]
)
def test_a_profile_takes_no_setting_that_is_not_finite(model: str) -> None:
    with pytest.raises(UsageError):
        info_of(model)


def test_what_is_within_the_bounds_is_taken() -> None:
    taken = ServedContext(
        model="sim:perfect,latency=5", k=100, within=None, max_samples=1000, max_tokens=100_000, seed=2**31 - 1
    )
    assert taken.seed == 2**31 - 1
    assert (taken.rule, ServedContext.model_validate({"k": 2, "within": 3}).rule) == (AheadBy(100), AheadBy(2, within=3))


def test_the_runs_of_a_server_share_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    assert calls_for("sim:perfect") == {}
    monkeypatch.setenv("MAKER_GRAPH_MAX_CALLS", "4")
    asked = {"messages": Hanoi(2).prompt(Hanoi(2).start())}
    create_microstep("sim:perfect", k=3, calls=calls_for("sim:perfect")).invoke(asked)
    with pytest.raises(LimitReached, match=r"limit of 4 calls is reached.*MAKER_GRAPH_MAX_CALLS"):
        create_microstep("sim:perfect", k=3, calls=calls_for("sim:perfect")).invoke(asked)


def test_a_budget_in_usd_counts_each_model_at_its_own_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKER_GRAPH_MAX_COST", "0.5")
    most = Usage(input=0, cached=0, output=200_000)
    for model in ("sim:perfect", "tiny"):
        meter: Any = calls_for(model)["meter"]
        meter.reserve(most)
    dear: Any = calls_for("openai:gpt-4.1-mini")["meter"]
    dear.reserve(most)  # $.32
    with pytest.raises(LimitReached, match="MAKER_GRAPH_MAX_COST"):
        calls_for("openai:gpt-4.1-mini")["meter"].reserve(most)  # type: ignore[union-attr]  # there is one
    assert isinstance(dear.account, Budget)
    with pytest.raises(UsageError, match="No price is known for openai:nobody-knows-it"):
        calls_for("openai:nobody-knows-it")


@pytest.mark.parametrize(("cost", "calls"), [("many", ""), ("", "1.5"), ("-1", ""), ("nan", "")])
def test_a_budget_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, cost: str, calls: str) -> None:
    monkeypatch.setenv("MAKER_GRAPH_MAX_COST", cost)
    monkeypatch.setenv("MAKER_GRAPH_MAX_CALLS", calls)
    with pytest.raises(UsageError):
        calls_for("sim:perfect")


def test_a_conversation_is_neither_too_long_nor_beyond_a_model_that_ships() -> None:
    see_question([HumanMessage("The capital of France?")], "openai:gpt-4.1-mini")
    moves = HumanMessage(Hanoi(3).prompt(Hanoi(3).start())[-1][1])
    for known in (moves, HumanMessage("Address: Elm St. 1, 10115 Berlin\nDate: 3.4.24\nAmount: $5")):
        see_question([known], "sim:gpt-oss-20b")
    for messages, words in (
        ([HumanMessage("?")] * 1001, "too long"),
        ([HumanMessage("x" * 200_001)], "too long"),
        ([HumanMessage([{"type": "text", "text": "x" * 200_001}])], "too long"),
        ([], "no message to answer"),
        ([HumanMessage("The capital of France?")], "Name a real model in the context"),
    ):
        with pytest.raises(UsageError, match=words):
            see_question(messages, "sim:gpt-oss-20b")


class Given(BaseModel):
    """Settings of a graph."""

    model_config = ConfigDict(extra="forbid")
    disks: int = Field(default=4, ge=1)


def started(context: Any) -> Any:
    return SimpleNamespace(execution_runtime=SimpleNamespace(context=context))


def test_a_run_has_the_settings_of_its_context_and_who_only_looks_has_the_defaults() -> None:
    assert settings_of(started({"disks": 7}), Given) == Given(disks=7)
    assert settings_of(started(None), Given) == settings_of(SimpleNamespace(execution_runtime=None), Given) == Given()  # type: ignore[arg-type]  # what is read of it


@pytest.mark.parametrize(
    ("context", "said"), [({"disks": 0}, "disks: "), ({"peg": 1}, "peg: Extra"), ("many", "context: "), ([], "context: ")]
)
def test_a_wrong_setting_is_named_on_one_line(context: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        settings_of(started(context), Given)
    assert "\n" not in str(caught.value)
