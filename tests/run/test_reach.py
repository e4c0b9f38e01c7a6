"""A run waits for its journal as long as its patience, and says that it lives while its event loop turns."""

import asyncio
from typing import Any, cast

import pytest

from maker_graph.errors import OutOfReach, TakenOver
from maker_graph.journal.protocol import Journal
from maker_graph.run import reach
from maker_graph.run.reach import beating, in_reach


class Away:
    """A journal that cannot be reached so many times."""

    def __init__(self, times: int, lease: float | None = None, *, taken: bool = False) -> None:
        self.times, self.lease, self.taken = times, lease, taken
        self.epoch: int | None = 1
        self.step = self.beats = 0

    def beat(self) -> None:
        """Say that the owner lives."""
        self.beats += 1
        self.times -= 1
        if self.times >= 0:
            raise OutOfReach("The journal cannot be reached.")
        if self.taken:
            raise TakenOver("Another process goes on.")

    def account(self) -> Any:
        """Return an account of so many steps."""
        return self._replace

    @property
    def _replace(self) -> Any:
        return type("Account", (), {"steps": self.step})


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "FIRST", 0.001)


async def gone_on(journal: Away, fails: int, patience: float = 10.0) -> tuple[list[str | None], list[str]]:
    """Go on with a run whose first calls fail; return with which answers, and what was told."""
    answers: list[str | None] = []
    told: list[str] = []

    async def solved(answer: str | None) -> None:
        await asyncio.sleep(0)
        answers.append(answer)
        if len(answers) == 2:
            journal.step = 1
        if len(answers) <= fails:
            raise OutOfReach("The journal cannot be reached.")

    await in_reach(solved, "an answer", cast("Journal", journal), patience=patience, warn=told.append)
    return answers, told


async def test_it_goes_on_when_the_journal_can_be_reached_again_and_uses_an_answer_once() -> None:
    answers, told = await gone_on(Away(3), 2)
    assert answers == ["an answer", "an answer", None]
    assert [line.partition(" ")[2].partition(":")[0] for line in told[:2]] == [
        "journal cannot be reached. The run waits until it can be reached, and then goes on.",
        "journal can be reached again",
    ]


async def test_patience_ends_and_a_run_that_never_began_does_not_wait() -> None:
    with pytest.raises(OutOfReach):
        await gone_on(Away(10**6), 1, patience=0.02)
    journal = Away(0)
    journal.epoch = None
    with pytest.raises(OutOfReach):
        await gone_on(journal, 1)
    assert journal.beats == 0


async def test_who_was_taken_over_meanwhile_stops() -> None:
    with pytest.raises(TakenOver):
        await gone_on(Away(2, taken=True), 1)


async def test_it_beats_while_the_loop_turns_whatever_a_beat_meets_and_not_before_it_is_the_owner() -> None:
    journal = Away(1, lease=0.004)
    journal.epoch = None
    async with beating(cast("Journal", journal)):
        await asyncio.sleep(0.05)
        assert journal.beats == 0
        journal.epoch = 1
        while journal.beats < 3:  # noqa: ASYNC110  of another task
            await asyncio.sleep(0.001)
    ended = journal.beats
    await asyncio.sleep(0.02)
    assert journal.beats <= ended + 1
    async with beating(cast("Journal", Away(0))):
        pass
