"""The simulated model under the name by which apps import it."""

import maker_graph.simulation
from maker_graph.simulation import SimulatedChatModel, simulated


def test_all_that_is_listed_is_there_once() -> None:
    names = maker_graph.simulation.__all__
    assert len(set(names)) == len(names)
    assert all(hasattr(maker_graph.simulation, name) for name in names)


def test_a_model_that_knows_answers_gives_them() -> None:
    model = simulated("perfect", {"capital of France": ["Paris", "Rome"]}, seed=1)
    assert isinstance(model, SimulatedChatModel)
    assert model.invoke("What is the capital of France?").text == "Paris"
