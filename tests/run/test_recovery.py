"""Where a run goes on: a checkpoint that agrees with the journal is taken, any other is set aside."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from maker_graph.errors import LimitReached, OlderJournal
from maker_graph.run.directory import opened
from maker_graph.run.options import RunOptions
from maker_graph.run.solving import Watcher, solve
from maker_graph.run.summary import summary
from tests.made import created, new_settings

CHECKPOINTS = "checkpoints.db"


def damaged(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE checkpoints SET checkpoint = x'c1c1c1'")
        db.commit()


def no_database(path: Path) -> None:
    path.write_bytes(b"no database" * 999)


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """Return a run that stopped at a limit, on the way."""
    directory = tmp_path / "r"
    with created(directory, new_settings("hanoi", {"disks": 3}, "sim:perfect", k=1)) as run:
        with pytest.raises(LimitReached):
            asyncio.run(solve(run, RunOptions.of(max_calls=4), steps_per_segment=2))
        assert 0 < run.journal.step < 7
    return directory


def gone_on(directory: Path, *, accept_loss: bool = False) -> list[str]:
    """Go on to the end, and return what was told."""
    told: list[str] = []
    with opened(directory, accept_loss=accept_loss) as run:
        asyncio.run(solve(run, RunOptions.of(max_calls=99), watcher=Watcher(warn=told.append)))
        assert summary(run)["verified"]
    return told


def test_a_checkpoint_that_agrees_is_taken_without_a_word(stopped: Path) -> None:
    assert gone_on(stopped) == []


@pytest.mark.parametrize("damage", [damaged, no_database])
def test_one_that_cannot_be_read_is_set_aside_and_kept(stopped: Path, damage: Callable[[Path], None]) -> None:
    damage(stopped / CHECKPOINTS)
    content = (stopped / CHECKPOINTS).read_bytes()
    (told,) = gone_on(stopped)
    assert "is set aside as checkpoints.db.aside-1, and the run goes on from the journal" in told
    assert (stopped / f"{CHECKPOINTS}.aside-1").read_bytes() == content


def test_without_checkpoints_the_journal_is_enough(stopped: Path) -> None:
    for path in stopped.glob(f"{CHECKPOINTS}*"):
        path.unlink()
    assert gone_on(stopped) == []


def test_a_checkpoint_beyond_the_journal_shows_that_the_journal_is_older(tmp_path: Path) -> None:
    settings = new_settings("hanoi", {"disks": 3}, "sim:perfect", k=1)
    with created(tmp_path / "new", settings) as run:
        asyncio.run(solve(run))
    with created(tmp_path / "old", settings) as run:
        pass
    for path in (tmp_path / "new").glob(f"{CHECKPOINTS}*"):
        path.rename(tmp_path / "old" / path.name)
    with pytest.raises(OlderJournal, match="a checkpoint is at 7"):
        gone_on(tmp_path / "old")
    assert any("is at step 7, the journal at 0" in told for told in gone_on(tmp_path / "old", accept_loss=True))
