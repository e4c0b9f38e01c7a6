"""A cascade: what a rung does not decide goes to the next one, contested or stuck."""

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from maker_graph import AheadBy, Confirm, Rung, Undecided, UsageError, Voting, create_maker
from maker_graph.graph.cascade import Cascade, see_cascade
from maker_graph.run.entry import decode
from tests.conftest import Scripted, replies
from tests.graph.test_items import Words, run, upper
from tests.graph.test_ladder import Stubborn
from tests.graph.test_maker import Countdown, counting

UNANIMOUS = Voting(k=AheadBy(2, within=2))


def torn(index: int, text: str) -> str:
    """Give the right answer and a wrong one in turn."""
    return counting(index, text) if index % 2 == 0 else "7"


def test_a_contested_step_goes_to_the_next_rung_and_votes_from_zero() -> None:
    weak, strong = Scripted(script=torn), Scripted(script=counting)
    cascade = [Rung(weak, UNANIMOUS), Rung(strong, Voting(k=3))]
    result = create_maker(Countdown(2), cascade=cascade).compile().invoke({})
    assert (result["done"], result["totals"]["samples"]) == (True, 2 * (2 + 3))
    assert (len(weak.log), len(strong.log)) == (4, 6)


def test_a_stuck_step_goes_to_the_next_rung_too() -> None:
    cascade = [Rung(Scripted(script=replies("?")), Voting(k=2, stuck_after=2)), Rung(Scripted(script=counting), Voting(k=1))]
    assert create_maker(Countdown(1), cascade=cascade).compile().invoke({})["totals"]["flags"] == {"malformed": 2}


def test_a_contested_step_climbs_no_ladder() -> None:
    """The ladder would ask three times more, and decide by chance what the model does not know."""
    model = Scripted(script=torn)
    with pytest.raises(Undecided) as caught:
        create_maker(Stubborn(1), model=model, k=AheadBy(2, within=2)).compile().invoke({})
    assert (len(model.log), caught.value.passed, caught.value.ballot) == (2, True, {"0": 1, "7": 1})
    assert "ahead by 2 within 2 votes" in str(caught.value)


def test_what_no_rung_decides_is_put_to_a_person_with_the_votes_of_all() -> None:
    cascade = [Rung(Scripted(script=torn), UNANIMOUS), Rung(Scripted(script=torn), Voting(k=Confirm(1, of=1)))]
    graph = create_maker(Countdown(1), cascade=cascade, on_undecided="interrupt").compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    (asked,) = graph.invoke({}, config)["__interrupt__"]
    assert (asked.value["samples"], asked.value["passed"]) == (4, True)
    assert graph.invoke(Command(resume="0"), config)["done"]


def test_a_rung_may_ask_in_other_words() -> None:
    asked: list[str] = []

    def reply(_: int, text: str) -> str:
        asked.append(text)
        return str(int(text.rpartition(" ")[2]) - 1)

    strong = Scripted(script=reply)
    cascade = [Rung(Scripted(script=torn), UNANIMOUS), Rung(strong, Voting(k=1), rephrase=2)]
    assert create_maker(Stubborn(1), cascade=cascade).compile().invoke({})["done"]
    assert asked == ["In other words, attempt 2: 1"]


@pytest.mark.parametrize("blocking", [True, False])
def test_items_go_through_a_cascade_in_their_slots(blocking: bool) -> None:
    task = Words("one", "two", "three")
    first = Scripted(script=lambda index, text: text if text == "two" and index % 2 else text.upper())
    second = Scripted(script=upper)
    rungs = [Rung(first, UNANIMOUS), Rung(second, Voting(k=1))]
    log = run(task, blocking=blocking, k=3, max_samples=100, cascade=rungs)
    decided = [decode(entry) for entry in log.entries]
    assert [each["answer"] for each in decided] == ["ONE", "TWO", "THREE"]
    assert [each["by"] for each in decided] == ["base", "rung 2", "base"]


@pytest.mark.parametrize(
    ("cascade", "more", "says"),
    [
        ([], {}, "at least one rung"),
        ("openai:gpt-4.1", {}, "list of Rung"),
        ([UNANIMOUS], {}, "list of Rung"),
        ([Rung("sim:perfect", rephrase=1)], {}, "own prompt"),
        ([Rung("sim:perfect"), Rung("sim:perfect", rephrase=1)], {}, "has no rephrase"),
        ([Rung("sim:perfect")], {"model": "sim:perfect"}, "leave out model"),
        ([Rung("sim:perfect")], {"k": 2}, "leave out model"),
    ],
)
def test_what_is_no_cascade_is_told(cascade: Any, more: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        create_maker(Countdown(1), cascade=cascade, **more)


def test_a_rung_is_checked_when_it_is_made() -> None:
    with pytest.raises(UsageError, match="rephrase"):
        Rung("sim:perfect", rephrase=-1)
    with pytest.raises(UsageError, match="Voting"):
        Rung("sim:perfect", 3)  # type: ignore[arg-type]


def test_the_first_rung_is_the_vote_of_every_step() -> None:
    first, after = see_cascade([Rung("sim:perfect"), Rung("sim:perfect", rephrase=1)])
    assert (first.rephrase, after) == (0, Cascade([Rung("sim:perfect", rephrase=1)]))
    assert after.votes(None) == 2
