"""The ladder of a stuck step: each rung votes from zero, with samples of its own."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from maker_graph import Ladder, Undecided, create_maker
from maker_graph.core.machine import Committed, Machine
from maker_graph.run.votings import LadderSettings
from tests.conftest import Scripted, replies
from tests.graph.test_maker import Countdown, counting
from tests.made import new_settings


class Stubborn(Countdown):
    """A countdown that can ask in other words."""

    def rephrase(self, state: int, attempt: int) -> str:
        return f"In other words, attempt {attempt}: {state}"


def test_a_stuck_step_climbs_the_ladder_and_each_rung_votes_from_zero() -> None:
    """The model cannot read 3 at any temperature; it understands the rephrased prompt."""

    def script(_: int, text: str) -> str:
        return "?" if text == "3" else str(int(text.rpartition(" ")[2]) - 1)

    model = Scripted(script=script)
    seen: list[Any] = []

    class Seen:
        def position(self) -> Any:
            return Machine(Stubborn(4)).begin()

        def append(self, steps: Sequence[Committed]) -> None:
            seen.extend((step.before["step"] + 1, step.decision) for step in steps)

    app = create_maker(Stubborn(4), model=model, k=2, stuck_after=4, log=Seen()).compile()
    result = app.invoke({})
    assert (result["state"], result["done"]) == (0, True)
    assert [decision["by"] for _, decision in seen] == ["base", "rephrased", "base", "base"]
    stuck = seen[1][1]
    assert [vote["by"] for vote in stuck["tried"]] == ["base", "temperature"]
    assert [vote["flags"] for vote in stuck["tried"]] == [{"malformed": 4}, {"malformed": 4}]
    assert (stuck["ballot"], stuck["samples"]) == ({"2": 2}, 2), "no vote of an earlier rung is in the ballot"
    assert stuck["first_agrees"] is False
    assert result["totals"]["samples"] == 3 * 2 + 4 + 4 + 2
    assert result["totals"]["flags"] == {"malformed": 8}
    heats = [entry["temperature"] for entry in model.log]
    assert heats.count(1.0) == 4, "the first rung is hotter"


def test_votes_of_a_rung_that_failed_do_not_help_the_next_one() -> None:
    """Base: one vote for 1, then flags until it is stuck. The next rung must find its lead of 2 alone."""

    def script(index: int, _: str) -> str:
        return "1" if index == 0 else "?"

    with pytest.raises(Undecided) as caught:
        create_maker(Countdown(2), model=Scripted(script=script), k=2, stuck_after=3).compile().invoke({})
    assert caught.value.ballot == {"1": 1}, "one vote on each of two rungs is not a lead of two"
    assert "Tried: base, temperature" in str(caught.value)


def test_a_stronger_model_answers_where_the_first_cannot_and_none_takes_a_rung_away() -> None:
    weak = Scripted(script=replies("?"))
    ladder = Ladder(temperature=None, rephrase=False, model=Scripted(script=counting))
    result = create_maker(Countdown(2), model=weak, k=2, max_samples=4, ladder=ladder).compile().invoke({})
    assert (result["done"], result["totals"]["samples"]) == (True, 2 * (4 + 2))


@pytest.mark.parametrize("own", ["same", (0.0, 0.1)])
def test_a_stronger_model_is_asked_at_the_runs_temperature_or_at_its_own(own: Any) -> None:
    strong = Scripted(script=counting)
    ladder = Ladder(temperature=None, rephrase=False, model=strong, model_temperature=own)
    create_maker(
        Countdown(1), model=Scripted(script=replies("?")), k=2, max_samples=4, temperature=0.7, ladder=ladder
    ).compile().invoke({})
    assert sorted(entry["temperature"] for entry in strong.log) == ([0.7, 0.7] if own == "same" else [0.0, 0.1])


def test_a_stronger_model_than_the_tiny_one_is_not_asked_at_its_temperature() -> None:
    tiny = partial(new_settings, "hanoi", {"disks": 3}, "tiny", ladder=LadderSettings(model="openai:gpt-4.1-mini"))
    assert (tiny().voting.temperature, tiny().ladder_temperature) == ((1.0, 1.0), "auto")
    assert tiny(temperature=(0.5, 0.5)).ladder_temperature == "same"


def test_with_a_seed_each_rung_draws_samples_of_its_own() -> None:
    model = Scripted(script=replies("?"))
    with pytest.raises(Undecided):
        create_maker(Countdown(1), model=model, k=2, max_samples=4, seed=7).compile().invoke({})
    seeds = [entry["seed"] for entry in model.log]
    assert len(seeds) == len(set(seeds)) == 8
