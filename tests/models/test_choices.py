"""Several samples from one request: the prompt is billed once, and each choice is judged like any other sample."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI

from maker_graph import Budget, LimitReached, UsageError, create_microstep
from maker_graph.core.red_flags import Sample
from maker_graph.models.choices import MOST, batched, shared
from maker_graph.models.copies import Copies
from maker_graph.models.sampler import Sampler
from tests.conftest import Scripted, replies
from tests.models.serving import Balance, completion, problem, server

QUESTION = {"messages": [("user", "1 + 1?")]}


def several(*texts: str, id: str = "chatcmpl-0123456789", finish: str = "stop", **usage: int) -> dict[str, Any]:  # noqa: A002  the API's name
    """Return a completion with these choices, the last of which ended with `finish`."""
    ends = ["stop"] * (len(texts) - 1) + [finish]
    choices = [
        {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": end}
        for i, (text, end) in enumerate(zip(texts, ends, strict=True))
    ]
    return completion(id=id, choices=choices, usage={"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12} | usage)


def openai(url: str) -> ChatOpenAI:
    return ChatOpenAI(model="m", base_url=url, api_key="none")  # type: ignore[arg-type]  # a string will do


def batching(url: str, **calls: Any) -> Sampler:
    how: Any = {"batch": True, **calls}
    return Sampler([openai(url)], temperature=0.7, max_tokens=750, seed=None, calls=how)


def microstep(url: str, calls: dict[str, Any] | None = None, **settings: Any) -> Any:
    how: Any = {"batch": True, **(calls or {})}
    return create_microstep(openai(url), calls=how, decision="decision", **{"temperature": 0.7, **settings})


async def test_a_round_is_one_request_whose_prompt_is_billed_once() -> None:
    with server((200, several("2", "2", "2"), {})) as (url, asked):
        budget = Budget(price=(1, 1))
        node = microstep(url, {"meter": budget}, k=3)
        ways = [node.invoke(QUESTION), await node.ainvoke(QUESTION)]
        found = [each["decision"] for each in ways] + [node.direct.vote(QUESTION), await node.direct.avote(QUESTION)]
    assert [body["n"] for body in asked] == [3] * 4
    for decision in found:
        assert (decision["answer"], decision["samples"], decision["rounds"], decision["flags"]) == ("2", 3, 1, {})
        assert decision["usage"] == {"input": 9, "cached": 0, "output": 3}
    assert (budget.spent.samples, budget.spent.input, budget.spent.output) == (6 * 2, 9 * 4, 3 * 4)


def test_the_first_sample_is_asked_apart_if_its_temperature_is_another() -> None:
    with server((200, several("2"), {}), (200, several("3", "2", id="chatcmpl-another-one"), {}), (200, completion(), {})) as (
        url,
        asked,
    ):
        decision = microstep(url, k=2, temperature=(0.0, 0.7)).invoke(QUESTION)["decision"]
    assert sorted((body["temperature"], body.get("n", 1)) for body in asked[:2]) == [(0.0, 1), (0.7, 1)]
    assert decision["answer"] == "2"
    with server((200, several("2", "2"), {})) as (url, asked):
        microstep(url, k=3, temperature=(0.0, 0.7)).invoke(QUESTION)
    assert sorted((body["temperature"], body.get("n", 1)) for body in asked) == [(0.0, 1), (0.7, 2)]


def test_each_choice_is_judged_by_itself() -> None:
    cut, more = several("2", "2", "It is t", finish="length"), several("2", id="chatcmpl-another-one")
    with server((200, cut, {}), (200, more, {})) as (url, asked):
        decision = microstep(url, k=3).invoke(QUESTION)["decision"]
    assert (decision["flags"], decision["ballot"], decision["samples"]) == ({"truncated": 1}, {'"2"': 3}, 4)
    assert [body.get("n") for body in asked] == [3, None]


@pytest.mark.parametrize("first", [several("2"), completion(choices=[]), several("2", "2", "2", "2", "2")])
async def test_what_a_server_leaves_out_is_asked_for_one_by_one(first: dict[str, Any]) -> None:
    meter, wanted = Balance(), 3
    alone: Any = [(200, several("2", id=f"chatcmpl-alone-{i:06}"), {}) for i in range(9)]
    with server((200, first, {}), *alone) as (url, asked):
        drawn = batching(url, meter=meter)
        samples = await drawn.adraw_all("?", range(wanted))
    got = min(len(first["choices"]) or 1, wanted)
    assert [sample.index for sample in samples] == [0, 1, 2]
    assert [body.get("n", 1) for body in asked] == [3] + [1] * (wanted - got)
    assert (meter.open, meter.settled, meter.abandoned) == (0, wanted, [False] * (wanted - got))


async def test_a_cache_that_brings_the_same_choices_again_is_seen() -> None:
    told: list[str] = []
    with server((200, several("2", "3"), {})) as (url, _):
        drawn = Sampler(
            [openai(url)], temperature=0.7, max_tokens=9, seed=None, calls={"batch": True, "copies": Copies(told.append)}
        )
        first, again = await drawn.adraw_all("?", (0, 1)), await drawn.adraw_all("?", (2, 3))
    assert len({sample.id for sample in first}) == 2
    assert [sample.id for sample in first] == [sample.id for sample in again]
    assert not drawn.look(first), "the choices of one reply do not show that a server gives each reply an id of its own"
    assert (drawn.copies.seen.proven, told) == (0, [])
    other = Sample(9, "4", id="0" * 16)
    drawn.look([*again, other], first)
    assert drawn.copies.seen.proven == 2
    assert "A cache answers" in told[0]


async def test_a_request_that_fails_is_made_again_for_all_its_samples_and_the_account_balances() -> None:
    meter = Balance()
    faults = [(500, problem(), {"Retry-After": "0"}), (200, "<html>", {})]
    with server(*faults, (200, several("2", "2"), {})) as (url, asked):
        drawn = batching(url, meter=meter)
        assert len(await drawn.adraw_all("?", (1, 2))) == 2
    assert [body["n"] for body in asked] == [2, 2, 2]
    assert (meter.reserved, meter.settled, meter.open, meter.abandoned) == (6, 2, 0, [False, False, True, True])


def test_a_limit_stops_before_a_request_that_may_pass_it_and_sets_nothing_aside_for_it() -> None:
    meter = Balance(limit=2)
    with server((200, several("2", "2", "2"), {})) as (url, asked):
        drawn = batching(url, meter=meter)
        with pytest.raises(LimitReached):
            drawn.draw_all("?", (0, 1, 2))
    assert (len(asked), meter.open) == (0, 0)


def test_models_that_take_no_n_are_asked_once_for_each_sample() -> None:
    model = Scripted(script=replies("2"), log=[])
    decision = create_microstep(model, k=3, calls={"batch": True}, decision="decision").invoke(QUESTION)["decision"]
    assert (decision["samples"], len(model.log)) == (3, 3)
    drawn = Sampler([openai("http://127.0.0.1:9/v1"), model], temperature=0.7, max_tokens=9, seed=None, calls={"batch": True})
    assert drawn.batched(range(5)) == [(0,), (1,), (2,), (3,), (4,)]
    responses = ChatOpenAI(model="m", api_key="none", use_responses_api=True)  # type: ignore[arg-type]
    alone = Sampler([responses], temperature=0.7, max_tokens=9, seed=None, calls={"batch": True})
    assert alone.batched(range(2)) == [(0,), (1,)]
    assert Sampler([openai("http://127.0.0.1:9/v1")], temperature=0.7, max_tokens=9, seed=None).batched(range(2)) == [
        (0,),
        (1,),
    ]


def test_a_seed_for_each_sample_is_refused_and_so_is_what_is_no_yes_or_no() -> None:
    odd: Any
    for odd in ({"batch": True}, {"batch": 3}):
        with pytest.raises(UsageError, match=r"cannot have their own seeds: leave seed out|batch"):
            create_microstep(openai("http://127.0.0.1:9/v1"), seed=1, calls=odd)


@given(st.integers(0, 3), st.integers(0, 60), st.booleans(), st.booleans())
def test_each_sample_is_in_one_request_and_in_its_order(start: int, number: int, several: bool, apart: bool) -> None:
    groups = batched(range(start, start + number), several=several, first_apart=apart)
    assert [index for group in groups for index in group] == list(range(start, start + number))
    assert all(1 <= len(group) <= (MOST if several else 1) for group in groups)
    assert all(len(group) == 1 for group in groups if 0 in group and apart)
    assert len(groups) <= number if not several else -(-number // MOST) + 1


@given(st.lists(st.text(max_size=40), min_size=1, max_size=9), st.integers(0, 999), st.integers(0, 99))
def test_the_shares_of_tokens_come_to_what_was_billed(texts: list[str], written: int, read: int) -> None:
    samples = [Sample(i, text, input_tokens=read, cached_tokens=read, output_tokens=written) for i, text in enumerate(texts)]
    found = shared(samples)
    assert [each.text for each in found] == texts
    assert sum(each.output_tokens for each in found) == written
    assert (sum(each.input_tokens for each in found), sum(each.cached_tokens for each in found)) == (read, read)
    assert all(each.output_tokens >= 0 for each in found)
