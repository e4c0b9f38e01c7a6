"""What a model's name implies."""

from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from maker_graph import AheadBy, UnknownModel, Voting, create_maker, create_microstep
from maker_graph.models.names import ModelInfo, info_of
from maker_graph.models.pricing import FREE, list_price, other_price, price_for
from maker_graph.run.settings import new_settings
from maker_graph.tasks import Hanoi
from maker_graph.tasks.loading import described
from tests.conftest import Scripted, replies


@pytest.mark.parametrize(
    ("name", "kind", "temperature", "max_tokens", "seed"),
    [
        ("openai:gpt-4.1-mini", "remote", (0.0, 0.1), 750, None),
        ("tiny", "tiny", (1.0, 1.0), 750, 1),
        ("sim:gpt-oss-20b", "simulated", (0.0, 0.1), 2048, 1),
        ("sim:perfect", "simulated", (0.0, 0.1), 750, 1),
    ],
)
def test_a_name_implies_temperature_cap_and_seed(name: str, kind: Any, temperature: Any, max_tokens: int, seed: Any) -> None:
    assert info_of(name) == ModelInfo(name, kind, temperature, max_tokens, seed)


def test_what_a_chat_model_was_made_with_is_not_replaced() -> None:
    own = ChatOpenAI(model="gpt-4.1-mini", api_key="key", temperature=0.7, max_tokens=99)  # type: ignore[call-arg, arg-type]  # aliases
    assert (info_of(own).temperature, info_of(own).max_tokens) == (0.7, 99)
    bare = ChatOpenAI(model="gpt-4.1-mini", api_key="key")  # type: ignore[arg-type]  # pydantic makes it a secret
    assert (info_of(bare).temperature, info_of(bare).max_tokens) == ((0.0, 0.1), 750)
    assert info_of(own).suited(Voting(temperature=0.2, max_tokens=5)) == Voting(temperature=0.2, max_tokens=5)


def test_a_microstep_samples_a_chat_model_as_that_was_made() -> None:
    model = Scripted(script=replies("a"), temperature=0.7, max_tokens=99)
    create_microstep(model, k=2).invoke({"messages": [("user", "?")]})
    assert {(entry["temperature"], entry["max_tokens"]) for entry in model.log} == {(0.7, 99)}


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(UnknownModel):
        info_of("sim:nobody")


def test_a_run_and_a_graph_sample_the_same_model_alike() -> None:
    """It has drifted before: a run of tiny sampled at temperature 1, a graph of it at 0 and .1."""
    told: list[dict[str, Any]] = []

    class Teller(BaseCallbackHandler):
        def on_chat_model_start(self, *_: Any, metadata: dict[str, Any] | None = None, **__: Any) -> None:
            told.append(metadata or {})

    create_maker(Hanoi(3), model="tiny", k=1, seed=1).compile().invoke({}, {"callbacks": [Teller()]})
    assert {each["temperature"] for each in told} == {1.0}
    assert new_settings(described(Hanoi(3)), "tiny", Voting()).voting.temperature == (1.0, 1.0)


def test_models_that_ship_cost_nothing_but_have_a_list_price() -> None:
    assert price_for("tiny", None, 1.0) == other_price("sim:perfect", 1.0) == FREE
    assert list_price("tiny") == FREE
    assert list_price("sim:gpt-oss-20b") != FREE


def test_what_suits_a_rule_gives_way_to_what_suits_the_model() -> None:
    voting = Voting(k=AheadBy(3, within=3))
    assert info_of("openai:gpt-4.1-mini").suited(voting).temperature == (0.7, 0.7)
    assert info_of("openai:gpt-4.1-mini").suited(Voting(k=3)).temperature == (0.0, 0.1)
    assert info_of("tiny").suited(voting).temperature == (1.0, 1.0)
    assert info_of("sim:perfect").suited(voting).temperature == (0.0, 0.1)
    own = ChatOpenAI(model="gpt-4.1", temperature=0.3, api_key=SecretStr("none"))
    assert info_of(own).suited(voting).temperature == 0.3
