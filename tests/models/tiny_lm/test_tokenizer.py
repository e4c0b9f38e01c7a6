"""The words of the tiny model: all that it may say is read back, and it is blind to all else."""

from hypothesis import given
from hypothesis import strategies as st

from maker_graph.models.tiny_lm.tokenizer import REPLY, VOCABULARY, WINDOW, decode, encode, window
from maker_graph.tasks import Hanoi


def test_every_right_reply_is_read_back_as_it_was_written() -> None:
    task = Hanoi(6)
    for step in range(task.total()):
        right = task.truth(task.state_at(step))
        text = f"move = {right['move']}\nnext_state = {right['next_state']}"
        assert decode(encode(text)) == text


@given(st.text())
def test_any_text_has_tokens_and_their_text_has_the_same(text: str) -> None:
    tokens = encode(text)
    assert all(0 <= token < len(VOCABULARY) for token in tokens)
    assert len(window(text)) <= WINDOW


def test_what_it_has_no_word_for_is_dropped_and_no_number_is_taken_from_a_longer_one() -> None:
    assert encode("I think, therefore") == encode(", ")
    assert encode("4711") == encode("21") == encode("1.5")[:0] == []


def test_of_a_long_prompt_the_end_is_read_and_then_the_reply_follows() -> None:
    read = window("1, " * 500 + "20")
    assert (len(read), read[-1], VOCABULARY[read[-2]]) == (WINDOW, REPLY, "20")
