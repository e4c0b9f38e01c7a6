"""A simulated model knows the few questions that it was taught."""

from maker_graph.models.simulation.chat import Answers


def test_answers_are_found_by_a_part_of_the_last_message_only() -> None:
    known = Answers({"capital of France": ["Paris", "Rome", "Nice"]})
    found = known.replies([("human", "Name the capital of France!")])
    assert found is not None
    assert (found.right, found.wrong) == ("Paris", ["Rome", "Nice"])
    assert known.replies([("human", "capital of France"), ("human", "And of Italy?")]) is None
    assert known.replies([]) is None
