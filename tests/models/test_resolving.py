"""From the name of a model to the chat model."""

import pytest
from langchain_openai import ChatOpenAI

from maker_graph import MissingKey, UnknownModel, UsageError
from maker_graph.models.resolving import resolve_model


def test_a_name_is_split_at_its_first_colon_only(openai: str) -> None:
    assert openai
    model = resolve_model("openai:qwen3:4b")
    assert isinstance(model, ChatOpenAI)
    assert model.model_name == "qwen3:4b"


@pytest.mark.parametrize(
    ("name", "error", "advice"),
    [
        ("gpt-4.1-mini", UnknownModel, "provider:model"),
        (":x", UnknownModel, "provider:model"),
        ("openai:gpt-4.1-mini", MissingKey, "OPENAI_API_KEY"),
        ("sim:none", UnknownModel, "give one of perfect"),
        ("sim:perfect,speed=1", UsageError, "settings are error"),
        ("sim:perfect,error=2", UsageError, "between 0 and 1"),
        ("nowhere:x", UnknownModel, "nowhere:x"),
        ("anthropic:x", UnknownModel, "install"),
    ],
)
def test_a_model_that_cannot_be_made_says_what_to_do(name: str, error: type[Exception], advice: str) -> None:
    with pytest.raises(error, match=advice):
        resolve_model(name)
