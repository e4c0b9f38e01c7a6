"""The caller's model is copied, and what would contradict a vote is not taken along."""

from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from typing_extensions import TypedDict

from maker_graph import UsageError, create_microstep
from maker_graph.core.schema import schema_of
from maker_graph.models.configured import configured
from maker_graph.models.names import info_of
from maker_graph.models.resolving import resolve_model
from maker_graph.models.sampler import Sampler
from maker_graph.models.simulation.model import simulated
from maker_graph.models.wrapped import Bound
from maker_graph.tasks.hanoi import Hanoi
from tests.conftest import Scripted, replies
from tests.models.serving import KEY, PROMPT, completion, server

QUESTION = {"messages": [("user", "1 + 1?")]}


def bound(model: Any) -> Bound:
    return Bound(model, {}, RunnableConfig())


def openai(url: str = "http://127.0.0.1:9/v1", name: str = "gpt-4.1-mini", **own: Any) -> ChatOpenAI:
    return ChatOpenAI(model=name, base_url=url, api_key=KEY, **own)  # type: ignore[arg-type]  # a string will do


class Paris(TypedDict):
    city: str


class Field(Scripted):
    """A chat model with the fields of an integration that is not installed here."""

    model: str = "other"
    model_kwargs: dict[str, Any] = {}  # noqa: RUF012  pydantic copies defaults


class Claude(Field):
    thinking: dict[str, Any] | None = None


class Mistral(Field):
    random_seed: int | None = None
    streaming: bool = False


class Gemini(Field):
    n: int = 1
    seed: int | None = None
    streaming: bool | None = None
    max_output_tokens: int | None = None
    profile: dict[str, Any] | None = None  # type: ignore[assignment]  # a few entries will do


class OpenRouter(Field):
    max_completion_tokens: int | None = None


class Converse(Field):
    additional_model_request_fields: dict[str, Any] | None = None


def test_the_callers_own_model_is_left_as_it_was() -> None:
    model = openai(temperature=0.7, seed=7, n=3, extra_body={"seed": 7})
    Sampler([model], temperature=0.1, max_tokens=750, seed=None)
    assert (model.temperature, model.max_tokens, model.cache, model.seed, model.n) == (0.7, None, None, 7, 3)
    assert model.extra_body == {"seed": 7}


@pytest.mark.parametrize(
    "own",
    [
        {"seed": 7, "n": 3},
        {"extra_body": {"seed": 7, "n": 3, "best_of": 3, "stream": True, "use_beam_search": True}},
        {"extra_body": {"options": {"seed": 7, "num_ctx": 9}, "randomSeed": 7}},
        {"model_kwargs": {"stream": True, "stream_options": {"include_usage": True}}},
        {"streaming": True, "stream_usage": True},
    ],
    ids=str,
)
async def test_a_seed_several_replies_and_a_stream_of_the_models_own_do_not_go_out_with_samples(own: dict[str, Any]) -> None:
    with server((200, completion(), {})) as (url, asked):
        model = openai(url, temperature=0.7, max_tokens=50, **own)
        drawn = Sampler([model], temperature=info_of(model).temperature, max_tokens=info_of(model).max_tokens, seed=None)
        assert drawn.draw(PROMPT, 0).text == (await drawn.adraw(PROMPT, 1)).text == "2"
    assert len(asked) == 2
    for body in asked:
        assert not {"seed", "randomSeed", "best_of", "stream_options"} & set(body)
        assert "seed" not in body.get("options", {})
        assert body.get("n", 1) == 1
        assert not body.get("stream")
        assert (body["temperature"], body["max_tokens"]) == (0.7, 50)
    assert own.get("extra_body", {}).get("use_beam_search") == asked[0].get("use_beam_search"), "what is no such setting stays"


def test_a_vote_with_a_seed_gives_each_sample_one_of_its_own() -> None:
    with server((200, completion(), {})) as (url, asked):
        create_microstep(openai(url, seed=7), k=3, seed=1).invoke(QUESTION)
    assert len({body["seed"] for body in asked}) == len(asked) == 3


@pytest.mark.parametrize(
    ("model", "own"),
    [
        (Mistral(script=replies("2"), random_seed=7, streaming=True), {"random_seed": None, "streaming": False}),
        (Gemini(script=replies("2"), n=3, seed=7, streaming=True), {"n": 1, "seed": None, "streaming": False}),
        (Field(script=replies("2"), model_kwargs={"seed": 7, "topP": 1}), {"model_kwargs": {"topP": 1}}),
        (
            Converse(script=replies("2"), additional_model_request_fields={"inferenceConfig": {"seed": 7, "topK": 9}}),
            {"additional_model_request_fields": {"inferenceConfig": {"topK": 9}}},
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_every_integrations_names_for_them_are_known(model: Scripted, own: dict[str, Any]) -> None:
    copy = configured(bound(model), 0.1, 750).model
    assert {name: getattr(copy, name) for name in own} == own


def test_a_seed_goes_out_under_the_name_that_the_integration_has_for_it() -> None:
    model = Mistral(script=replies("2"), log=[])
    Sampler([model], temperature=0.1, max_tokens=750, seed=1).draw(PROMPT, 0)
    assert "random_seed" in model.log[0]
    assert "seed" not in model.log[0]


@pytest.mark.parametrize(
    ("model", "temperature", "cap"),
    [
        (openai(temperature=0.7, max_completion_tokens=99), 0.7, 99),
        (openai(extra_body={"temperature": 0.7, "max_tokens": 99}), 0.7, 99),
        (Field(script=replies("2"), model_kwargs={"temperature": 0.7, "max_new_tokens": 99}), 0.7, 99),
        (OpenRouter(script=replies("2"), max_completion_tokens=99), (0.0, 0.1), 99),
        (Gemini(script=replies("2"), max_output_tokens=99, temperature=None), (0.0, 0.1), 99),
        (Gemini(script=replies("2"), max_output_tokens=9_000, profile={"max_output_tokens": 9_000}), (0.0, 0.1), 750),
        (Claude(script=replies("2"), thinking={"type": "enabled", "budget_tokens": 2_000}), (0.0, 0.1), 2_750),
    ],
    ids=lambda each: type(each).__name__,
)
def test_the_models_own_temperature_and_cap_are_taken_wherever_they_stand(model: Any, temperature: Any, cap: int) -> None:
    assert (info_of(model).temperature, info_of(model).max_tokens) == (temperature, cap)


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (OpenRouter(script=replies("2"), max_completion_tokens=99, max_tokens=None), "max_completion_tokens"),
        (OpenRouter(script=replies("2")), "max_tokens"),
        (Gemini(script=replies("2"), max_output_tokens=99), "max_output_tokens"),
    ],
)
def test_the_cap_stands_in_one_place_only(model: Scripted, field: str) -> None:
    copy = configured(bound(model), 0.1, 750).model
    caps = ("max_tokens", "max_output_tokens", "max_completion_tokens")
    assert {name: value for name in caps if (value := getattr(copy, name, None)) is not None} == {field: 750}


def test_what_the_caller_asks_for_is_not_contradicted_by_what_stands_within_a_field() -> None:
    with server((200, completion(), {})) as (url, asked):
        Sampler([openai(url, extra_body={"temperature": 2, "max_tokens": 9})], temperature=0.1, max_tokens=50, seed=None).draw(
            "?", 0
        )
    assert (asked[0]["temperature"], asked[0]["max_tokens"]) == (0.1, 50)


@pytest.mark.parametrize(
    "model",
    [
        Claude(script=replies("2"), thinking={"type": "enabled", "budget_tokens": 500}),
        Claude(script=replies("2"), thinking={"type": "adaptive"}),
        Converse(script=replies("2"), additional_model_request_fields={"thinking": {"type": "enabled", "budget_tokens": 500}}),
        Field(script=replies("2"), model="claude-opus-4-7"),
        Field(script=replies("2"), model="us.anthropic.claude-sonnet-5-v1:0"),
        openai(name="anthropic/claude-4.7-opus"),
        openai(name="o3-mini"),
        openai(name="ft:gpt-5-mini:us"),
        AzureChatOpenAI(azure_deployment="our-o3", azure_endpoint="https://x.openai.azure.com", api_version="1", api_key=KEY),  # type: ignore[arg-type]
        AzureChatOpenAI(
            azure_deployment="prod",
            model="gpt-5",
            azure_endpoint="https://x.openai.azure.com",
            api_version="1",
            api_key=KEY,  # type: ignore[arg-type]
        ),
    ],
    ids=lambda model: f"{type(model).__name__}-{getattr(model, 'model_name', None) or getattr(model, 'deployment_name', None)}",
)
def test_a_model_that_takes_no_temperature_is_sent_none(model: Any) -> None:
    made = configured(bound(model), 0.1, 750)
    assert made.temperature is None
    assert made.model.temperature is None  # type: ignore[attr-defined]  # each of these has the field


@pytest.mark.parametrize(
    "model",
    [
        Claude(script=replies("2"), thinking={"type": "disabled"}),
        Field(script=replies("2"), model="claude-sonnet-4-5-20250929"),
        Field(script=replies("2"), model="claude-3-5-sonnet-20240620"),
        openai(name="gpt-4o"),
        openai(name="gpt-5-chat-latest"),
        openai(name="gpt-5.1", reasoning_effort="none"),
    ],
    ids=lambda model: getattr(model, "model_name", None) or model.model,
)
def test_any_other_model_is_sent_its_temperature(model: Any) -> None:
    assert configured(bound(model), 0.1, 750).temperature == 0.1


def test_a_model_that_thinks_for_as_long_as_a_reply_may_be_is_refused() -> None:
    with pytest.raises(UsageError, match=r"max_tokens=750 leaves no room .* 2,000 tokens"):
        configured(bound(Claude(script=replies("2"), thinking={"type": "enabled", "budget_tokens": 2_000})), None, 750)


async def test_a_request_to_the_responses_api_has_the_cap_under_its_name_and_no_seed() -> None:
    body = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "output": [{"type": "message", "id": "1", "role": "assistant", "status": "completed", "content": [
            {"type": "output_text", "text": "2", "annotations": []}]}],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10, "input_tokens_details": {"cached_tokens": 0},
                  "output_tokens_details": {"reasoning_tokens": 0}},
    }  # fmt: skip
    for own in ({"use_responses_api": True}, {"output_version": "responses/v1"}, {"truncation": "auto"}):
        with server((200, body, {})) as (url, asked):
            drawn = Sampler([openai(url, **own)], temperature=0.1, max_tokens=750, seed=1)
            samples = [drawn.draw(PROMPT, 0), await drawn.adraw(PROMPT, 1)]
        assert [(sample.text, sample.finish) for sample in samples] == [("2", "stop")] * 2
        for each in asked:
            assert {name: value for name, value in each.items() if "tokens" in name} == {"max_output_tokens": 750}
            assert each["temperature"] == 0.1
            assert "seed" not in each


def test_a_deployment_behind_a_companys_gateway_gets_the_cap_of_azures() -> None:
    with server((200, completion(), {})) as (url, asked):
        model = AzureChatOpenAI(azure_deployment="prod", azure_endpoint=url.removesuffix("/v1"), api_version="1", api_key=KEY)  # type: ignore[arg-type]
        made = Sampler([model], temperature=0.1, max_tokens=750, seed=None)
        assert made.draw(PROMPT, 1).text == "2"
    assert {name: value for name, value in asked[0].items() if "tokens" in name} == {"max_completion_tokens": 750}
    assert configured(bound(model), 0.1, 750).name == "prod"


def test_stop_sequences_go_out_with_each_sample_in_the_place_of_the_models_own() -> None:
    with server((200, completion(), {})) as (url, asked):
        for model in (
            openai(url),
            openai(url, stop=["x"]),
            openai(url).bind(stop=["x"]),
            openai(url).with_fallbacks([openai(url)]),
        ):
            drawn = Sampler([model], temperature=0.1, max_tokens=9, seed=None, stop=("\n", "END"))
            assert drawn.draw(PROMPT, 0).finish == "stop"
            Sampler([model], temperature=0.1, max_tokens=9, seed=None).draw(PROMPT, 0)
    assert [body.get("stop") for body in asked[::2]] == [["\n", "END"]] * 4
    assert [body.get("stop") for body in asked[1::2]] == [None, ["x"], ["x"], None]


async def test_the_models_that_ship_and_scripted_ones_honour_stop_sequences() -> None:
    lines = simulated("perfect", {"?": ["yes\nand so on", "no"]})
    for model in (lines, Scripted(script=replies("yes\nand so on"))):
        drawn = Sampler([model], temperature=0.1, max_tokens=99, seed=1, stop=("\n",))
        assert drawn.draw("?", 0).text == (await drawn.adraw("?", 1)).text == "yes"
    task = Hanoi(3)
    tiny = Sampler([resolve_model("tiny")], temperature=0.0, max_tokens=99, seed=1, stop=("\nnext",)).draw(
        task.prompt(task.start()), 0
    )
    assert (tiny.text.count("\n"), tiny.finish) == (0, "stop")


def test_stop_sequences_are_refused_where_nobody_would_honour_them() -> None:
    settings: Any = {"temperature": None, "max_tokens": None, "seed": None}
    with pytest.raises(UsageError, match=r"Responses API, which takes no stop sequences.*use_responses_api=False"):
        Sampler([openai(use_responses_api=True)], **settings, stop=("\n",))
    function: Any = RunnableLambda(lambda _: "yes")
    other: Any
    for other in (function, openai().with_fallbacks([function])):
        with pytest.raises(UsageError, match=r"An agent chooses stop .* give stop=\(\) here"):
            Sampler([other], **settings, stop=("\n",))
    odd: Any
    for odd in ("\n", ("",), [1], 5, None):
        with pytest.raises(UsageError, match="stop must be a list of texts"):
            Sampler([openai()], **settings, stop=odd)


SCHEMA = schema_of(Paris)


async def test_a_schema_goes_to_the_provider_and_the_reply_comes_back_as_it_is() -> None:
    cut: Any = {"index": 0, "message": {"role": "assistant", "content": '{"city": "Pa'}, "finish_reason": "length"}
    whole: Any = {"index": 0, "message": {"role": "assistant", "content": '{"city": "Paris"}'}, "finish_reason": "stop"}
    told = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
    for choice, finish in ((cut, "length"), (whole, "stop")):
        with server((200, completion(choices=[choice]), {})) as (url, asked):
            own = openai(url, extra_body={"top_k": 3, "response_format": 1}, model_kwargs={"response_format": 2})
            for model in (openai(url), own, own.bind(response_format={"type": "json_object"})):
                drawn = Sampler([model], temperature=0.1, max_tokens=9, seed=None, schema=SCHEMA)
                for sample in (drawn.draw(PROMPT, 0), await drawn.adraw(PROMPT, 1)):
                    assert (sample.text, sample.finish) == (choice["message"]["content"], finish)
                    assert (sample.input_tokens, sample.output_tokens, sample.estimated) == (9, 1, False)
        assert [body["response_format"] for body in asked] == [told] * 6
        assert [body.get("top_k") for body in asked] == [None, None, 3, 3, 3, 3]
        assert {body["max_tokens"] for body in asked} == {9}


def test_an_object_with_any_keys_is_no_strict_schema() -> None:
    with server((200, completion(), {})) as (url, asked):
        Sampler([openai(url)], temperature=0.1, max_tokens=9, seed=None, schema=schema_of(dict[str, int])).draw(PROMPT, 0)
    assert asked[0]["response_format"]["json_schema"]["strict"] is False


@pytest.mark.parametrize(
    ("model", "schema", "why"),
    [
        (Scripted(script=replies("2")), SCHEMA, "structured is not known to work with Scripted"),
        (resolve_model("tiny"), SCHEMA, "structured is not known to work with tiny"),
        (openai(use_responses_api=True), SCHEMA, r"Responses API, but structured works with chat completions"),
        (ChatOpenAI(model="gpt-4.1-mini", api_key=KEY), schema_of(bool), "replies must be objects"),  # type: ignore[arg-type]
        (RunnableLambda(str), SCHEMA, "An agent chooses structured .* give structured=False here"),
        (openai().with_fallbacks([Scripted(script=replies("2"))]), SCHEMA, "structured is not known to work with Scripted"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_schema_is_refused_where_nobody_would_hold_the_model_to_it(model: Any, schema: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Sampler([model], temperature=None, max_tokens=None, seed=None, schema=schema)


def test_a_schema_of_an_object_goes_to_openai_itself_and_to_azure() -> None:
    where = {"azure_endpoint": "https://x.openai.azure.com", "api_version": "1", "api_key": KEY}
    deployed = AzureChatOpenAI(azure_deployment="prod", **where)  # type: ignore[arg-type]  # a string will do
    for model in (ChatOpenAI(model="gpt-4.1-mini", api_key=KEY), deployed):  # type: ignore[arg-type]  # a string will do
        body: Any = configured(bound(model), 0.1, 750, schema=SCHEMA).model
        assert body.extra_body["response_format"]["json_schema"]["schema"] == SCHEMA
