"""Form apart from answer: what a second call is told, and how it is kept."""

import pytest

from maker_graph import Emit, UsageError, Voting
from maker_graph.core.emitting import emit_of, kept_emit
from maker_graph.core.red_flags import Sample, raised


def test_what_is_said_of_a_second_call_is_one_value() -> None:
    assert emit_of(None) is None
    assert emit_of(False) is None
    assert emit_of(True) == emit_of("same") == emit_of({}) == Emit()
    assert emit_of("openai:m") == Emit(model="openai:m")
    assert emit_of(kept_emit(Emit(model="openai:m", max_tokens=9))) == Emit(model="openai:m", max_tokens=9)
    assert Voting(emit=True).emit == Emit()  # type: ignore[arg-type]  # as callers write it


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (3, "emit must be True"),
        ("", "emit must be True"),
        ({"words": "x"}, "emit takes model, prompt"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
def test_what_is_no_second_call_is_refused(wrong: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        emit_of(wrong)


@pytest.mark.parametrize(
    "wrong", [{"prompt": " "}, {"reason": 3}, {"temperature": -1}, {"temperature": True}, {"max_tokens": 0}, {"stop": "x"}]
)
def test_a_wrong_value_of_a_second_call_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=f"Emit's {next(iter(wrong))}"):
        Emit(**wrong)  # type: ignore[arg-type]  # that is the point


def test_a_model_without_a_name_cannot_be_kept() -> None:
    with pytest.raises(UsageError, match="keeps the name"):
        kept_emit(Emit(model=object()))


def test_each_call_has_a_cap_of_its_own() -> None:
    flags = Voting(max_tokens=50, emit=Emit(max_tokens=10)).flags
    assert raised(flags, Sample(0, "x", output_tokens=11, call="first")) is None
    assert raised(flags, Sample(0, "x", output_tokens=51, call="first")) == "too_long"
    assert raised(flags, Sample(0, "x", output_tokens=11, call="second")) == "too_long"
