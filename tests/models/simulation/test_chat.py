"""What a simulated model says in a chat."""

from maker_graph.models.simulation.chat import Answers, ChatRehearsal


def test_a_chat_is_told_that_the_model_is_simulated_whatever_is_asked() -> None:
    replies = ChatRehearsal().replies([("system", "Be brief."), ("human", "Who are you?")])
    assert "simulated" in replies.right
    assert "Who are you?" in replies.right
    assert replies.right not in replies.wrong
    assert ChatRehearsal().replies([]).wrong


def test_answers_are_found_by_a_part_of_the_last_message_only() -> None:
    known = Answers({"capital of France": ["Paris", "Rome", "Nice"]})
    found = known.replies([("human", "Name the capital of France!")])
    assert found is not None
    assert (found.right, found.wrong) == ("Paris", ["Rome", "Nice"])
    assert known.replies([("human", "capital of France"), ("human", "And of Italy?")]) is None
    assert known.replies([]) is None
