"""A cache between us and a model is seen, said at once, and its replies never vote."""

import logging
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import LLMResult
from langchain_openai import ChatOpenAI

from maker_graph import Copies, Undecided, create_microstep
from maker_graph.core.copies import LONG, PROBE, CopiesSeen
from maker_graph.core.red_flags import Sample
from maker_graph.errors import LimitReached, ProviderFailure
from maker_graph.models.copies import UNVARIED, probe
from maker_graph.models.sampler import Sampler
from maker_graph.simulation import simulated
from tests.conftest import Scripted, replies
from tests.models.serving import KEY, Balance, gateway

QUESTION: Any = {"messages": [("user", "?")]}


def chance(ask: dict[str, Any]) -> str:
    """Never say the same twice."""
    return " ".join(uuid4().hex for _ in range(9)) if ask["messages"] else ""


def paris(_: dict[str, Any]) -> str:
    return "Paris"


def behind(url: str, **own: Any) -> ChatOpenAI:
    return ChatOpenAI(model="m", base_url=url, api_key=KEY, **own)  # type: ignore[arg-type]  # a string will do


def sampler(url: str, told: list[str], **calls: Any) -> Sampler:
    made: Any = {"copies": Copies(told.append), **calls}
    return Sampler([behind(url)], temperature=(0.0, 0.1), max_tokens=750, seed=None, calls=made)


def test_copies_from_a_gateways_cache_never_win_and_are_said_at_once() -> None:
    told: list[str] = []
    with gateway(paris) as (url, _):
        copies = Copies(told.append)
        # one after the other: a cache that holds nothing yet lets a whole round pass
        node = create_microstep(behind(url), k=3, calls={"copies": copies}, stuck_after=5)
        for _ in range(2):
            with pytest.raises(Undecided) as caught:
                node.invoke(QUESTION, {"max_concurrency": 1})
    assert max(caught.value.ballot.values(), default=0) <= 2, "that of temperature 0 and that of the others"
    assert caught.value.flags["copy"] >= 5
    assert "cache" in caught.value.reason
    assert copies.seen.proven >= 10
    assert len(told) == 1
    assert "Switch off the cache" in told[0]


def test_copies_are_seen_at_one_temperature_too_once_the_ids_are_known_to_differ() -> None:
    with gateway(paris) as (url, _):
        copies = Copies(lambda _: None)
        single = create_microstep(behind(url), k=1, temperature=0.7, calls={"copies": copies})
        for question in ("The first question?", "Another one?"):
            single.invoke({"messages": [("user", question)]})
        node = create_microstep(behind(url), k=3, temperature=0.7, calls={"copies": copies}, stuck_after=5)
        with pytest.raises(Undecided, match="copy"):
            node.invoke({"messages": [("user", "The second one?")]}, {"max_concurrency": 1})


def test_a_server_with_one_id_for_all_replies_is_taken_for_no_cache() -> None:
    script = replies(AIMessage("1", id="chatcmpl-0123456789"))
    copies = Copies(lambda _: None)
    node = create_microstep(Scripted(script=script), k=3, calls={"copies": copies})
    for _ in range(3):
        assert node.invoke(QUESTION)["messages"][-1].text == "1"
    assert copies.seen.proven == 0


def test_replies_that_are_alike_but_drawn_anew_win() -> None:
    told: list[str] = []
    with gateway(paris, cache=False) as (url, _):
        node = create_microstep(behind(url), k=3, calls={"copies": Copies(told.append)})
        assert node.invoke(QUESTION)["messages"][-1].text == "Paris"
    assert told == []


@pytest.mark.parametrize("fresh_ids", [False, True])
async def test_a_cache_that_says_so_in_a_header_is_believed(fresh_ids: bool) -> None:
    with gateway(paris, headers=True, fresh_ids=fresh_ids) as (url, _):
        node = create_microstep(behind(url), k=3, stuck_after=5)
        with pytest.raises(Undecided) as caught:
            node.invoke(QUESTION, {"max_concurrency": 1})
        assert caught.value.flags["copy"] >= 5
        with pytest.raises(Undecided) as caught:
            await node.ainvoke(QUESTION)
    assert caught.value.flags["copy"] >= 5


async def test_of_the_headers_of_a_response_only_those_of_a_cache_are_kept() -> None:
    heard: list[Any] = []

    class Listener(BaseCallbackHandler):
        def on_llm_end(self, response: LLMResult, **_: Any) -> None:
            heard.append(response.generations[0][0].message.response_metadata["headers"])  # type: ignore[union-attr]

    with gateway(paris, headers=True) as (url, _):
        node = create_microstep(behind(url), k=1)
        node.invoke(QUESTION, {"callbacks": [Listener()]})
        await node.ainvoke({"messages": [("user", "Another?")]}, {"callbacks": [Listener()]})
    assert heard == [{"cf-aig-cache-status": "MISS"}] * 2


def test_long_replies_that_are_alike_are_a_suspicion_that_is_said_once_and_discards_nothing() -> None:
    told: list[str] = []
    copies = Copies(told.append)
    node = create_microstep(Scripted(script=replies("x" * LONG)), k=3, calls={"copies": copies})
    for _ in range(4):
        assert node.invoke(QUESTION)["messages"]
    assert (copies.seen.proven, copies.seen.suspected) == (0, True)
    assert len(told) == 1
    assert "raise the temperature" in told[0]


@pytest.mark.parametrize(
    ("model", "temperature"),
    [
        (Scripted(script=replies("x" * (LONG - 1))), "auto"),
        (Scripted(script=replies("x" * LONG)), 0.0),
        (Scripted(script=lambda index, _: '{"a": 1}' + " " * LONG + "x" * index), "auto"),
        (simulated("perfect", {"?": ["x" * LONG, "y"]}), "auto"),
    ],
    ids=["short", "temperature 0", "different", "simulated"],
)
def test_what_may_well_be_alike_is_no_suspicion(model: Any, temperature: Any) -> None:
    told: list[str] = []
    copies = Copies(told.append)
    node = create_microstep(model, k=2, temperature=temperature, key=lambda _: 1, calls={"copies": copies})
    for _ in range(4):
        node.invoke(QUESTION)
    assert not copies.seen.suspected
    assert told == []


def test_without_anybody_to_tell_it_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    script = replies(*(AIMessage("1", id=f"chatcmpl-0123456789{name}") for name in "ab"))
    with caplog.at_level(logging.WARNING, "maker_graph"), pytest.raises(Undecided):
        create_microstep(Scripted(script=script), k=3, stuck_after=3).invoke(QUESTION)
    assert len(caplog.records) == 1


def test_what_was_seen_is_gone_on_with() -> None:
    before = CopiesSeen(proven=2, same=3, compared=4, varied=True)
    assert CopiesSeen.of(before.note()) == before
    copies = Copies(lambda _: None, seen=before)
    copies.look([Sample(0, "1", from_cache=True)], drawn=lambda _: True)
    assert copies.seen == before._replace(proven=3)


@pytest.mark.parametrize(("cache", "fresh_ids", "varied"), [(False, False, True), (True, False, False), (True, True, False)])
async def test_a_probe_finds_a_cache_that_nothing_else_shows(cache: bool, fresh_ids: bool, varied: bool) -> None:
    told: list[str] = []
    with gateway(chance, cache=cache, fresh_ids=fresh_ids) as (url, seen):
        drawn = sampler(url, told)
        assert await probe(drawn) is varied
        assert drawn.copies.seen.varied is varied
    assert seen == {PROBE: 3}
    assert told == ([] if varied else [UNVARIED])


async def test_a_probe_of_models_that_take_turns_asks_one_of_them() -> None:
    models = [Scripted(script=replies("a" * 99)), Scripted(script=replies("b" * 99))]
    drawn = Sampler(models, temperature=0.1, max_tokens=750, seed=None, calls={"copies": Copies(lambda _: None)})
    assert await probe(drawn) is False


@pytest.mark.parametrize("reply", ["", "seven", AIMessage("", additional_kwargs={"refusal": "No."})])
async def test_a_reply_of_a_few_words_tells_nothing(reply: Any) -> None:
    drawn = Sampler([Scripted(script=replies(reply))], temperature=0.1, max_tokens=750, seed=None)
    assert await probe(drawn) is None


async def test_a_probe_that_fails_stops_nothing_but_a_limit_does() -> None:
    def fails(*_: Any) -> str:
        raise ProviderFailure("no")

    assert await probe(Sampler([Scripted(script=fails)], temperature=0.1, max_tokens=750, seed=None)) is None
    meter = Balance(limit=1)
    model = Scripted(script=replies("a" * 99))
    with pytest.raises(LimitReached):
        await probe(Sampler([model], temperature=0.1, max_tokens=750, seed=None, calls={"meter": meter}))


async def test_a_simulated_model_answers_the_probe_by_chance() -> None:
    model = simulated("gpt-4.1-mini", {"?": ["a", "b"]})
    for seed in (None, 1):
        assert await probe(Sampler([model], temperature=0.1, max_tokens=750, seed=seed)) is True
