"""Lost replies: what is stated of a vote that loses them holds, or the run has said that it may not."""

import pytest

from maker_graph.core.decision import Decision
from maker_graph.core.machine import MakerOutput
from maker_graph.run.losses import Losses
from tests.benchmarks.timeouts import measured
from tests.late import World, decided


def decision(ballot: dict[str, int], lost: int, status: str = "decided") -> Decision:
    made: Decision = {"status": status, "ballot": ballot, "lost": lost}  # type: ignore[typeddict-item]  # all that is looked at
    return made


def at(step: int, lost: int, samples: int) -> MakerOutput:
    place: MakerOutput = {"step": step, "totals": {"lost": lost, "samples": samples}}  # type: ignore[typeddict-item]  # likewise
    return place


def test_a_share_of_lost_replies_is_told_and_again_when_twice_as_many_are_lost() -> None:
    told: list[str] = []
    losses = Losses(told.append)
    for step in range(1, 21):
        losses.see([decision({"a": 3}, 1)], at(step, lost=step, samples=3 * step))
    assert [sentence.split()[0] for sentence in told] == ["4", "8", "16"]
    assert all("the votes are biased" in sentence for sentence in told)


def test_few_lost_replies_and_few_of_many_are_not_told() -> None:
    told: list[str] = []
    losses = Losses(told.append)
    losses.see([decision({"a": 3, "b": 1}, 1)], at(1, lost=3, samples=3))
    losses.see([decision({"a": 3}, 0), decision({"a": 3}, 2)], at(1000, lost=59, samples=3000))
    assert told == []


@pytest.mark.parametrize(
    ("ballot", "lost", "status", "counts"),
    [
        ({"a": 3}, 4, "decided", True),
        ({"a": 4, "b": 3}, 4, "decided", True),
        ({"a": 5}, 4, "decided", False),
        ({}, 4, "undecided", False),
        ({}, 0, "decided", False),  # a person's
    ],
)
def test_decisions_that_lost_replies_could_have_changed_are_told_however_rare(
    ballot: dict[str, int], lost: int, status: str, *, counts: bool
) -> None:
    told: list[str] = []
    Losses(told.append).see([decision(ballot, lost, status)], at(100_000, lost=lost, samples=300_000))
    assert len(told) == counts
    assert all("1 decision up to step 100,000" in sentence for sentence in told)


@pytest.mark.parametrize(
    ("world", "steps", "plan"),
    [
        (World(0.8, 3, lost=0.0, slow="right"), 60, "holds"),
        (World(0.8, 3, lost=0.15, slow="wrong"), 60, "holds"),
        (World(0.8, 3, lost=0.3, slow="right", hard=True), 60, "flagged"),
        (World(0.8, 3, lost=0.7, slow="right"), 20, "flagged"),
    ],
)
def test_where_time_outs_drop_right_answers_what_is_stated_holds_or_is_flagged(world: World, steps: int, plan: str) -> None:
    found = measured(world, steps)
    assert abs(found["lost_measured"] - world.lost) < 0.15
    assert (found["plan"], found["certificate"]) == (plan, "holds"), found
    assert (found["warned_at"] is None) == (world.lost == 0.0)


def test_the_late_model_is_the_same_each_time() -> None:
    world = World(0.8, 2, lost=0.2, slow="right")
    assert decided(world, range(5)) == decided(world, range(5))
