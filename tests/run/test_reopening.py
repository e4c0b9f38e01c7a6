"""Open items that are voted on once more: what is decided amends them, what is not stays open, and nothing is drawn twice."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Run, UsageError, Voting
from maker_graph.core.guarding import guarded
from maker_graph.core.items import Items
from maker_graph.core.machine import Committed, Machine
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.run.account import Ledger, Limits
from maker_graph.run.reopening import Amending, OpenOnes
from maker_graph.run.settings import new_settings
from maker_graph.simulation import Replies
from maker_graph.tasks import Hanoi
from maker_graph.tasks.loading import described
from tests.journal.kept import item


class Words(Items):
    """Words, with all that a task of items may have."""

    items: Sequence[str] = ("one", "two", "three")

    def prompt(self, item: str) -> str:
        return item

    def parse(self, text: str, item: str) -> Any:  # type: ignore[override]  # it takes the item
        return [item, text]

    def check(self, item: str, answer: Any) -> bool:
        return bool(answer[0] == item)

    def key(self, answer: Any) -> Any:
        return answer[1]

    def rephrase(self, item: str, attempt: int) -> str:
        return f"{item} {attempt}"


class Rehearsed(Words):
    """Words of which a weak model gets some wrong; all that it says keeps the rules."""

    items = tuple(f"word {number}" for number in range(40))

    def rehearse(self, item: str) -> Replies:
        return Replies(item.upper(), [f"{item} {number}" for number in range(3)])


WEAK = "sim:perfect,error=.5,flagged=.2"


def test_every_function_is_asked_about_the_item_itself() -> None:
    task = guarded(OpenOnes(guarded(Words()), [3, 1]))
    states: list[Any] = [{"item": 0}, {"item": 1}]
    assert [task.prompt(state) for state in states] == ["three", "one"]
    assert task.parse("x", states[0]) == ["three", "x"]
    assert task.check(states[1], ["one", "x"]) is True  # type: ignore[attr-defined]  # it has rules
    assert task.rephrase(states[1], 1) == "one 1"  # type: ignore[attr-defined]  # and other words
    assert task.key(["one", "x"]) == "x"  # type: ignore[attr-defined]  # and keys
    assert task.given is not None
    assert task.given(states[0]) is None


def test_only_what_is_decided_is_stored_and_all_that_was_drawn_is_booked(tmp_path: Path) -> None:
    create_journal(tmp_path / "j.db", "run")
    with closing(SqliteJournal(tmp_path / "j.db", "run")) as journal:
        journal.claim()
        machine = Machine(Words())
        at = machine.begin()
        for text in ("", "two", ""):
            made = item(text)
            after = machine.advance(at, made)
            journal.append([(made, after)])
            at = after
        meter = Ledger(journal, None, Limits())
        log = Amending(journal, meter, guarded(Words()), new_settings(described(Words()), "sim:perfect", Voting()))
        assert list(log.task.items) == [1, 3]
        again = Machine(log.task)
        start, still = log.position(), item("")
        meter.since = meter.since._replace(samples=4)
        log.append([Committed(still, start, again.advance(start, still))])
        assert (journal.amendments(), journal.account().spent.samples, log.at["step"]) == ({}, 4, 1)
        log.keep_ahead({2: item("three")})
        (found,) = journal.amendments().items()
        assert (found[0], found[1]["answer"], [vote["samples"] for vote in found[1]["tried"]]) == (3, "three", [1])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    task = Rehearsed()
    with Run.create(
        tmp_path / "run", task, model=WEAK, k=2, max_samples=4, rephrase=False, retry_temperature=None, fsync="normal"
    ) as made:
        made.solve()
        yield made


def test_each_retry_draws_other_samples_and_leaves_less_open(run: Run) -> None:
    before = run.open_count()
    samples = run.verify()["samples"]
    assert before > 4
    left = [before]
    for _ in range(6):
        result = run.solve(retry_open=True)
        left.append(run.open_count())
        assert result["samples"] > samples or left[-2] == 0, "what was drawn is counted"
        samples = result["samples"]
    assert left[-1] < left[0] / 4, "the same samples would say the same"
    assert result["samples"] >= sum(step.samples for step in run.steps())
    assert result["verdict"] == ("open" if left[-1] else "consistent")


def test_a_limit_stops_a_retry_and_keeps_what_it_decided(run: Run) -> None:
    before, samples = run.open_count(), run.verify()["samples"]
    with pytest.raises(Exception, match="limit of"):
        run.solve(retry_open=True, max_calls=samples + 12)
    assert run.verify()["samples"] <= samples + 12
    run.solve(retry_open=True, max_calls=samples + 1000)
    assert run.open_count() < before


def test_who_has_no_items_is_told_so(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", Hanoi(2), model="sim:perfect", k=1) as run, pytest.raises(UsageError, match="no items"):
        asyncio.run(run.drive(retry_open=True))
