"""Journals of shards as one: the same as the journal of a run that was never cut."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TypeAlias

import pytest

from maker_graph.core.items import Items
from maker_graph.core.machine import Machine
from maker_graph.core.spending import Reserved, Spent
from maker_graph.errors import DamagedRun, UsageError
from maker_graph.journal.joined import JoinedJournal
from maker_graph.journal.protocol import Journal
from tests.journal.kept import Kept, by_a_person, item

TEXTS = ["one", "", "three", "", "", "six", "seven", ""]
SIZES = [3, 0, 4, 1]
"""The second shard has no step."""

Shard: TypeAlias = tuple[str, Callable[[], Journal]]
"""Its name, and what opens its journal."""


class Words(Items):
    """A task of so many items."""

    def __init__(self, number: int) -> None:
        self.items = range(number)

    def prompt(self, item: int) -> str:
        return f"{item}?"


def made(kept: Kept, name: str, texts: list[str], answers: dict[int, str]) -> Shard:
    """Make a journal with these steps, and later answers; return its name, and what opens it."""
    journal = kept.open(name, name)
    machine = Machine(Words(len(texts)))
    at = machine.begin()
    for text in texts:
        found = item(text)
        at = machine.advance(at, found)
        journal.append([(found, at)], Spent(cost=0.5, seconds=2, calls=1, samples=1), Reserved(0.25, 1))
    for step, text in answers.items():
        journal.amend([(step, by_a_person(text))])
    journal.set_note("colour", name)
    return name, lambda: kept.opened(name, name)


class Opened:
    """Opens journals, and counts how many are open."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def __call__(self, opened: Callable[[], Journal]) -> Callable[[], AbstractContextManager[Journal]]:
        @contextmanager
        def context() -> Iterator[Journal]:
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                with closing(opened()) as journal:
                    yield journal
            finally:
                self.now -= 1

        return context


@pytest.fixture(name="whole")
def fixture_whole(kept: Kept) -> Iterator[Journal]:
    _, opened = made(kept, "whole", TEXTS, {4: "four", 8: "eight"})
    with closing(opened()) as journal:
        yield journal


@pytest.fixture(name="shards")
def fixture_shards(kept: Kept) -> list[Shard]:
    """Return the same steps in four journals; the fourth and the eighth were answered."""
    found, first = [], 0
    answers: list[dict[int, str]] = [{}, {}, {1: "four"}, {1: "eight"}]
    for place, size in enumerate(SIZES):
        found.append(made(kept, f"s-{place}", TEXTS[first : first + size], answers[place]))
        first += size
    return found


def joined(shards: list[Shard], opened: Opened | None = None) -> JoinedJournal:
    count = opened or Opened()
    joins = {"colour": lambda found: " ".join(f"{before}:{text}" for before, text in found)}
    return JoinedJournal([(name, count(each)) for name, each in shards], joins)


def test_what_is_read_is_that_of_a_journal_that_was_never_cut(whole: Journal, shards: list[Shard]) -> None:
    count = Opened()
    journal = joined(shards, count)
    assert journal.step == whole.step == 8
    assert journal.steps == {"s-0": 3, "s-1": 0, "s-2": 4, "s-3": 1}
    assert list(journal.entries()) == list(whole.entries())
    assert list(journal.decisions()) == list(whole.decisions())
    assert list(journal.left_open()) == list(whole.left_open())
    assert [step for step, _ in journal.left_open()] == [2, 5]
    assert journal.amendments() == whole.amendments()
    assert [journal.decision(step) for step in range(10)] == [whole.decision(step) for step in range(10)]
    machine = Machine(Words(8))
    replayed = list(journal.replay(machine))
    assert replayed == list(whole.replay(machine))
    for start in (0, 2, 3, 5, 8):
        place = machine.begin() if start == 0 else replayed[start - 1][2]
        assert list(journal.replay(machine, place)) == replayed[start:]
    assert count.now == 0
    assert count.most == 1, "a journal is open only while it is read"


def test_what_was_spent_is_added_up(whole: Journal, shards: list[Shard]) -> None:
    journal = joined(shards)
    account = journal.account()
    assert account.spent == whole.account().spent == Spent(cost=4, seconds=16, calls=8, samples=8)
    assert (account.steps, account.amended, account.reserved) == (8, 2, Reserved(0.25, 1)), (
        "an answer that was given settles what was reserved"
    )
    assert journal.owners() == 4
    assert journal.epoch is None
    journal.close()


def test_steps_are_followed_from_shard_to_shard(shards: list[Shard]) -> None:
    journal, step, head, found = joined(shards), 0, None, []
    while step < journal.step:
        more = journal.following(step, head, 2)
        assert more is not None
        assert 1 <= len(more[0]) <= 2
        found += more[0]
        step, head = found[-1][0], more[1]
    assert found == list(journal.entries())
    assert journal.following(8, head, 2) == ([], head)
    assert journal.following(9, None, 2) is None
    assert journal.following(4, "00", 2) is None, "that is not a hash of the step"


def test_a_step_is_found_in_its_shard(shards: list[Shard]) -> None:
    journal = joined(shards)
    assert [journal.shard_of(step) for step in (1, 3, 4, 7, 8)] == [("s-0", 1), ("s-0", 3), ("s-2", 1), ("s-2", 4), ("s-3", 1)]
    for step in (0, 9):
        with pytest.raises(UsageError, match=f"There is no step {step}: all shards together have 8"):
            journal.shard_of(step)


def test_a_note_of_the_whole_is_kept_in_the_first_shard_beside_its_own(
    shards: list[Shard],
) -> None:
    journal = joined(shards)
    assert journal.note("colour") == "0:s-0 3:s-1 3:s-2 7:s-3"
    assert journal.note("other") is None
    assert journal.writable
    journal.set_note("colour", "green")
    assert journal.note("colour") == "green"
    assert joined(shards).note("colour") == "green"
    with closing(shards[0][1]()) as first:
        assert first.note("colour") == "s-0"


def test_a_shard_that_is_damaged_is_named(kept: Kept, shards: list[Shard]) -> None:
    journal = joined(shards)
    journal.check()
    before = kept.copy("s-2")
    entry = kept.rows("steps", "s-2")[2]["entry"]
    kept.change("steps", 3, "s-2", entry=entry.replace("six", "sex"))
    with pytest.raises(DamagedRun, match=r"s-2: The journal is damaged at step 3: its hash does not fit"):
        journal.check()
    with pytest.raises(DamagedRun, match="s-2: "):
        list(journal.replay(Machine(Words(8))))
    kept.put_back(before, "s-2")
    journal.check()
    (answer,) = kept.rows("amendments", "s-2")
    kept.change("amendments", 1, "s-2", entry=answer["entry"].replace("four", "five"))
    with pytest.raises(DamagedRun, match=r"s-2: .*amendment 1"):
        joined(shards)


def test_an_answer_that_the_whole_task_cannot_take_is_told_with_its_shard(
    shards: list[Shard],
) -> None:
    class Strict(Words):
        place = "n"

    machine = Machine(Strict(8))
    machine.task.apply = lambda state, answer: {"n": state["n"] + 1} if answer != "six" else 1 / 0
    with pytest.raises(DamagedRun, match=r"s-2: The journal is damaged at step 3: its answer cannot be applied \(division"):
        list(joined(shards).replay(machine))
