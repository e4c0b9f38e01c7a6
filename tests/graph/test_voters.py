"""The microsteps of a part, and which of them votes next."""

from typing import Any

import pytest

from maker_graph import AheadBy, Voting
from maker_graph.core.guarding import guarded
from maker_graph.graph.cascade import Cascade, Rung
from maker_graph.graph.ladder import Ladder
from maker_graph.graph.voters import create_voters, reading_of
from tests.conftest import Scripted
from tests.graph.test_ladder import Stubborn
from tests.graph.test_maker import counting

DECIDED: Any = {"status": "decided"}
STUCK: Any = {"status": "undecided"}
PASSED: Any = {"status": "undecided", "passed": True}


@pytest.mark.parametrize(
    ("after", "passed", "samples"),
    [(Ladder(), None, 3 * 9), (Cascade([Rung("sim:perfect", Voting(max_samples=7)), Rung("sim:perfect")]), 1, 9 + 7 + 100)],
)
def test_a_contested_step_goes_on_in_a_cascade_only(after: Any, passed: int | None, samples: int) -> None:
    model = Scripted(script=counting)
    voters = create_voters(guarded(Stubborn(1)), after, model=model, voting=Voting(max_samples=9), calls=None)
    assert (len(voters.rungs), voters.samples) == (3, samples)
    assert (voters.after(0, DECIDED), voters.after(0, STUCK), voters.after(0, PASSED)) == (None, 1, passed)
    assert (voters.after(1, STUCK), voters.after(2, STUCK), voters.after(2, PASSED)) == (2, None, None)


def test_each_rung_says_which_it_is_and_votes_by_its_own_rule() -> None:
    model = Scripted(script=counting)
    after = Cascade([Rung(model, Voting(k=4)), Rung(model, Voting(k=AheadBy(2, within=5)))])
    voters = create_voters(guarded(Stubborn(3)), after, model=model, voting=Voting(k=1), calls=None)
    found = [voter.invoke({"state": 3})["decision"] for voter in voters.rungs]
    assert [(each["by"], each["samples"]) for each in found] == [("base", 1), ("rung 2", 4), ("rung 3", 2)]


def test_with_a_seed_each_rung_draws_samples_of_its_own() -> None:
    seeds: list[Any] = []
    for after in (Cascade([]), Cascade([Rung("sim:perfect", Voting(k=1, seed=1))])):
        model = Scripted(script=counting)
        rungs = after.rungs and [Rung(model, after.rungs[0].voting)]
        voters = create_voters(guarded(Stubborn(1)), Cascade(rungs), model=model, voting=Voting(k=1, seed=1), calls=None)
        voters.rungs[-1].invoke({"state": 1})
        seeds.append([entry.get("seed") for entry in model.log])
    assert seeds[0] != seeds[1]


def test_a_persons_reply_is_read_as_a_samples() -> None:
    reading = reading_of(guarded(Stubborn(3)), 3, check=True)
    assert (reading.parse("2"), reading.red_flags) == (2, {})
