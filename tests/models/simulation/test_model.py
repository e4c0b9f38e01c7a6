"""The simulated model as a LangChain chat model."""

import pytest

from maker_graph.errors import UsageError
from maker_graph.models.simulation.model import simulated

MODEL = simulated("perfect,flagged=1", {"?": ["yes", "no"]}, seed=1)


async def test_invoke_and_ainvoke_give_the_same_reply_to_the_same_seed() -> None:
    for seed in range(20):
        one, other = MODEL.invoke("well?", seed=seed), await MODEL.ainvoke("well?", seed=seed)
        assert (one.content, one.response_metadata["finish_reason"]) == (
            other.content,
            other.response_metadata["finish_reason"],
        )
        assert one.usage_metadata == other.usage_metadata


def test_a_refusal_and_a_cut_reply_say_so_where_a_provider_would() -> None:
    replies = [MODEL.model_copy(update={"max_tokens": 750}).invoke("well?", seed=seed) for seed in range(60)]
    assert any(reply.additional_kwargs.get("refusal") for reply in replies)
    cut = [reply for reply in replies if reply.response_metadata["finish_reason"] == "length"]
    assert cut
    assert all(reply.usage_metadata is not None and reply.usage_metadata["output_tokens"] == 750 for reply in cut)


def test_it_goes_by_its_profile_and_says_what_it_does_not_know() -> None:
    assert MODEL.model_name == "sim:perfect"
    MODEL.knows("well?")
    with pytest.raises(UsageError, match="rehearsal"):
        MODEL.knows("well.")


async def test_stop_sequences_are_honoured_with_and_without_callbacks() -> None:
    model = simulated("perfect", {"?": ["yes\nand so on", "no"]})
    assert model.invoke("well?", stop=["\n"]).content == (await model.ainvoke("well?", stop=["\n"])).content == "yes"
    assert model.invoke("well?").content == "yes\nand so on"


def test_it_takes_no_tools_and_says_so() -> None:
    with pytest.raises(UsageError, match="cannot be the model of an agent"):
        MODEL.bind_tools([])
