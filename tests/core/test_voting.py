"""How one step is voted on, as one value."""

import pickle
from dataclasses import fields, replace
from typing import Any

import pytest

from maker_graph import AheadBy, Confirm, Majority, UsageError, Voting
from maker_graph.core.red_flags import empty, truncated


def test_the_defaults_are_the_papers() -> None:
    voting = Voting()
    assert (voting.lead, voting.temperatures, voting.output_cap, voting.max_samples) == (3, (0.0, 0.1), 750, 100)
    assert [*voting.flags] == ["truncated", "too_long", "refused", "tool_calls", "ended", "no_text", "empty"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"k": 0}, "k must"),
        ({"k": True}, "k must"),
        ({"k": 2.5}, "k must be"),
        ({"k": "3"}, "k must be"),
        ({"k": 5, "max_samples": 4}, "max_samples"),
        ({"max_samples": 0}, "max_samples"),
        ({"max_samples": 9.0}, "max_samples"),
        ({"stuck_after": 0}, "stuck_after"),
        ({"stuck_after": True}, "stuck_after"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": (0,)}, "temperature"),
        ({"temperature": (0, 0.1, 0.2)}, "temperature"),
        ({"temperature": (0, None)}, "temperature"),
        ({"temperature": [0, 0.1]}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"seed": 1.5}, "seed"),
        ({"seed": True}, "seed"),
        ({"red_flags": (empty, empty)}, "empty"),
    ],
)
def test_a_value_that_cannot_be_is_named_at_once(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError) as error:
        Voting(**wrong)
    assert named in str(error.value)


def test_the_first_round_is_what_the_rule_asks_for() -> None:
    assert [Voting(k).first_round for k in (4, AheadBy(2), Majority(5))] == [4, 2, 5]
    assert Voting(Majority(5)).lead is None


def test_own_red_flags_take_the_place_of_those_that_ship() -> None:
    assert [*Voting(red_flags=(truncated,)).flags] == ["truncated"]
    assert [*Voting(red_flags=()).flags] == []
    assert [*Voting(max_tokens=None).flags] == ["truncated", "refused", "tool_calls", "ended", "no_text", "empty"]


def test_it_can_be_changed_compared_and_pickled() -> None:
    voting = Voting(k=2, temperature=0.5)
    changed = replace(voting, k=4, max_samples=9)
    assert (changed.first_round, changed.temperatures) == (4, (0.5, 0.5))
    assert replace(changed, k=2, max_samples=100) == voting
    assert pickle.loads(pickle.dumps(voting)) == voting  # noqa: S301  our own
    assert hash(voting) == hash(replace(voting))
    assert {field.name for field in fields(Voting) if field.init} == {
        *(
            "k",
            "temperature",
            "max_tokens",
            "max_samples",
            "stuck_after",
            "seed",
            "check",
            "variants",
            "stop",
            "structured",
            "emit",
            "red_flags",
        )
    }


def test_under_a_rule_that_passes_samples_are_hot_unless_something_else_is_said() -> None:
    assert Voting(k=3).temperatures == (0.0, 0.1)
    assert Voting(k=AheadBy(3)).temperatures == (0.0, 0.1)
    assert Voting(k=AheadBy(3, within=3)).temperatures == (0.7, 0.7)
    assert Voting(k=Confirm(3, of=4)).temperatures == (0.1, 0.7)
    assert Voting(k=AheadBy(3, within=3), temperature=(0.0, 0.1)).temperatures == (0.0, 0.1)


def test_a_rule_gives_up_what_cannot_be_won_within_the_samples_that_there_are() -> None:
    """Else what is contested would end as stuck, and climb the ladder."""
    assert Voting(k=AheadBy(3, within=9), max_samples=5).rule == AheadBy(3, within=5)
    assert Voting(k=AheadBy(3), max_samples=5).rule == AheadBy(3)
    assert Voting(k=Confirm(2, of=9), max_samples=5).rule == Confirm(2, of=4)
    voting = Voting(k=AheadBy(3, within=9), max_samples=3)
    assert replace(voting, max_samples=100).rule == AheadBy(3, within=9), "what was said is kept"
