"""The caller's model is copied."""

from langchain_openai import ChatOpenAI

from maker_graph.models.sampler import Sampler


def test_the_callers_own_model_is_left_as_it_was() -> None:
    model = ChatOpenAI(model="gpt-4.1-mini", api_key="sk-test", temperature=0.7)  # type: ignore[arg-type]  # a string will do
    Sampler([model], temperature=0.1, max_tokens=750, seed=None)
    assert (model.temperature, model.max_tokens, model.cache) == (0.7, None, None)
