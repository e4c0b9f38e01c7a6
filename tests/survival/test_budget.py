"""A budget holds over kills and resumes: what was really drawn, in all sessions, stays within it."""

import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from maker_graph.core.judging import Usage
from maker_graph.errors import TakenOver
from maker_graph.models.pricing import FlatPrice
from maker_graph.run.account import Ledger, Limits
from maker_graph.run.directory import opened
from tests.made import created
from tests.survival.harness import Children, Event, Whole, assert_nothing_lost_or_doubled, events, settings_of

PRICE = (100.0, 1000.0)


def cost(event: Event) -> float:
    """Return what a sample cost that a child told of."""
    _, read, written = event.text.split()
    return FlatPrice(*PRICE)(Usage(input=int(read), cached=0, output=int(written)))


def killed_within(children: Children, directory: Path, *, seed: int, limits: dict[str, float]) -> int:
    """Kill a run again and again until it stops at its limits of itself; return the number of kills."""
    chance, kills = random.Random(seed), 0
    arguments: dict[str, Any] = {"limits": limits, "price": PRICE, "steps_per_segment": 3}
    while True:
        child = children.start(directory, **arguments)
        time.sleep(chance.uniform(0.05, 0.3))
        ended = child.kill()
        if ended != -signal.SIGKILL:
            assert (ended, events(directory)[-1].kind) == (4, "LimitReached"), events(directory)[-1]
            break
        kills += 1
    drawn = len(events(directory))
    assert children.run(directory, **arguments) == 4, "the budget was reset by a resume"
    assert not [event for event in events(directory)[drawn:] if event.kind == "sample"]
    return kills


@pytest.mark.parametrize("limits", [{"calls": 60}, {"cost": 60.0}, {"cost": 58.0, "calls": 60}])
def test_a_budget_holds_over_kills_and_no_resume_resets_it(
    children: Children, tmp_path: Path, unharmed: Whole, limits: dict[str, float]
) -> None:
    directory = tmp_path / "r"
    with created(directory, settings_of()):
        pass
    kills = killed_within(children, directory, seed=1, limits=limits)
    assert kills
    samples = [event for event in events(directory) if event.kind == "sample"]
    assert len(samples) <= limits.get("calls", len(samples)), kills
    assert sum(map(cost, samples)) <= limits.get("cost", float("inf")), kills
    with opened(directory) as run:
        account = run.journal.account()
    most = account.spent.calls + account.unsettled.calls
    assert account.spent.samples <= len(samples) <= most, "what was drawn is accounted for"
    assert children.run(directory, price=PRICE) == 0
    assert_nothing_lost_or_doubled(directory, unharmed)


def test_a_run_that_is_killed_before_every_commit_reaches_its_limit_all_the_same(children: Children, tmp_path: Path) -> None:
    directory, sessions = tmp_path / "r", 0
    with created(directory, settings_of()):
        pass
    while children.run(directory, crash="sampled", limits={"calls": 30}) == -signal.SIGKILL:
        sessions += 1
        assert sessions < 31, "what it paid for before it was killed is forgotten each time"
    assert events(directory)[-1].kind == "LimitReached"
    assert 1 < sum(event.kind == "sample" for event in events(directory)) <= 30


def test_what_could_not_be_written_is_booked_once_there_is_room(tmp_path: Path) -> None:
    with created(tmp_path / "r", settings_of()) as run:
        run.journal.claim()
        meter = Ledger(run.journal, FlatPrice(1e6, 0.0), Limits(), None)
        most = Usage(input=1, cached=0, output=0)
        meter.reserve(most)
        meter.abandon(most, billed=True)
        spent, _ = meter.take()
        meter.give_back(spent)  # as after an append that found no room
        meter.close()
        assert (run.journal.account().spent.cost, run.journal.account().spent.calls) == (1.0, 1)


def test_an_owner_that_was_taken_over_pays_for_no_further_call(tmp_path: Path) -> None:
    with created(tmp_path / "r", settings_of()) as run:
        run.journal.claim()
        meter = Ledger(run.journal, None, Limits(), None)
        meter.reserve(Usage(input=1, cached=0, output=0))
        with opened(tmp_path / "r") as again:
            again.journal.claim()
        with pytest.raises(TakenOver):
            meter.reserve(Usage(input=1, cached=0, output=0))


def test_no_more_is_held_than_the_limit_leaves(tmp_path: Path) -> None:
    with created(tmp_path / "r", settings_of()) as run:
        run.journal.claim()
        meter = Ledger(run.journal, None, Limits(calls=10), None)
        for _ in range(7):
            meter.reserve(Usage(input=1, cached=0, output=0))
        assert run.journal.account().reserved.calls == 10, "twice as many as are open would be 14"
