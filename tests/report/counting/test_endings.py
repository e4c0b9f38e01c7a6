"""When steps ended: what is left after each vote is what the rules leave open, and who decided is counted."""

from pathlib import Path

from maker_graph.core.rules import AheadBy, FirstTo
from maker_graph.report.counting.endings import EndingCounter, undecided
from maker_graph.run import directory as runs
from tests.report.making import data_of, step, vote
from tests.report.ruling import decided_at


def test_undecided_steps_are_those_that_the_rules_leave_open_after_each_vote(hanoi: Path) -> None:
    found = data_of(hanoi)
    with runs.opened(hanoi) as run:
        sequences = [decision["sequence"] for decision in run.journal.decisions()]
    for rule, endings in ((AheadBy(3), found.endings.votes), (FirstTo(3), found.endings.first_to_votes)):
        ended = [decided_at(rule, [place for place in sequence if isinstance(place, int)]) for sequence in sequences]
        for number, left in enumerate(undecided(endings, found.steps), start=1):
            assert left == sum(at is None or at > number for at in ended)


def test_endings_are_counted_by_samples_votes_and_who_decided() -> None:
    counter = EndingCounter()
    counter.add(step(1, vote(0, 0)))
    counter.add(step(2, vote(1, "empty", 0, 0, 0)))
    counter.add(step(3, vote(1, 0), vote(0, 0, by="temperature")))
    counter.add(step(4, vote(1, 0), vote(0, by="person")._replace(sequence=[0])))
    counter.add(step(5, vote(1, 0), winner=None))
    endings = counter.endings()
    proved = step(6, vote(0))
    counter.add(proved._replace(seen=proved.seen._replace(said={"proved": "it fits"})))
    assert (counter.endings().votes, counter.endings().left) == (endings.votes, 3), "one vote decides nothing by itself"
    assert endings.samples == {2: 1, 5: 1, 4: 1}
    assert endings.votes == {2: 1, 4: 2}
    assert endings.left == 2, "a person answered one, and one was left open"
    assert endings.first_to_votes == {2: 1, 3: 1, 4: 1}
    assert counter.by() == {"base": 3, "temperature": 1, "person": 1}
    assert (counter.total("votes"), counter.total("rounds")) == (2 + 4 + 4 + 3 + 2 + 1, 8)
    assert (counter.single_differs, counter.first_differs_at) == (2, 2)
