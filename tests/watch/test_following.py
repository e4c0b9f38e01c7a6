"""A run is followed from outside: what it commits shows, whatever becomes of it is a state, and no code of it is run."""

import asyncio
import json
import math
import os
import shutil
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Run
from maker_graph.errors import DamagedRun, Undecided
from maker_graph.run.directory import Directory, opened
from maker_graph.run.left_answers import AnswerFiles
from maker_graph.run.session import Session
from maker_graph.run.session_file import SessionFile
from maker_graph.tasks import Hanoi
from maker_graph.tasks.loading import load_task
from maker_graph.watch import following
from maker_graph.watch.following import Followed
from tests.made import new_settings
from tests.run.test_review import Numbers
from tests.run.test_waiting import STUCK

FOREIGN = """
from pathlib import Path
Path("imported").touch()
from tests.run.test_review import Numbers as Base
class Numbers(Base):
    pass
"""


def made(folder: Path, disks: int = 4, name: str = "r", **how: Any) -> Path:
    settings: dict[str, Any] = {"model": "sim:perfect,error=.1,flagged=.1", "k": 2, **how}
    with Run.create(folder / name, Hanoi(disks), **settings) as run:
        run.solve()
    return run.directory


def test_each_step_is_counted_once_as_the_run_goes_on(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    followed = Followed(Directory(tmp_path / "r"))
    with Run.create(tmp_path / "r", Hanoi(5), model="sim:perfect,error=.1,flagged=.1", k=2) as run:
        for step in run.events():
            if step.step % 5 == 0:
                view = followed.look(float(step.step))
                seen.append((view.listed["steps"], view.detail["read"]))
                assert view.listed["state"] == "at work"
        result = run.verify()
    view = followed.look(100.0)
    assert [steps for steps, _ in seen] == sorted({steps for steps, _ in seen})
    assert all(steps == read for steps, read in seen)
    assert (view.listed["state"], view.listed["steps"], view.listed["total"]) == ("done", 31, 31)
    assert (view.detail["samples"], view.detail["votes"], view.detail["outvoted"]) == (
        result["samples"],
        result["votes"],
        result["outvoted"],
    )
    assert view.detail["flags"] == dict(sorted(result["flags"].items(), key=lambda item: -item[1]))
    assert view.detail["pegs"] == {"step": 31, "at": "22222"}


def test_a_long_journal_is_read_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = made(tmp_path)
    monkeypatch.setattr(following, "AT_ONCE", 4)
    followed = Followed(Directory(directory))
    reads = [followed.look(time.monotonic(), 1e-9).detail["read"] for _ in range(5)]
    assert reads == [4, 8, 12, 15, 15]


def test_files_that_are_as_they_were_are_not_opened_again(tmp_path: Path) -> None:
    followed = Followed(Directory(made(tmp_path)))
    first = followed.look(0.0)
    followed.look(1.0)
    opened_: list[str] = []
    sys.addaudithook(lambda event, args: opened_.append(str(args[0])) if event == "sqlite3.connect" else None)
    assert followed.look(2.0).listed == first.listed
    assert followed.look(2.0) is followed.look(3.0), "nothing of a run that ended is read again"
    assert not [each for each in opened_ if str(tmp_path) in each]


def test_the_rate_is_that_of_the_last_minute_and_says_when_it_will_end(tmp_path: Path) -> None:
    followed = Followed(Directory(tmp_path / "r"))
    with Run.create(tmp_path / "r", Hanoi(5), model="sim:perfect", k=1) as run:
        for step in run.events():
            if step.step in {10, 20}:
                view = followed.look(float(step.step))
    assert view.listed["rate"] == 1.0
    assert view.listed["left"] == 11


def test_a_stuck_step_and_what_was_answered_are_told(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(2), **STUCK) as run, pytest.raises(Undecided):
        run.solve()
    followed = Followed(Directory(run.directory))
    view = followed.look(0.0)
    assert (view.listed["state"], view.listed["asks"], view.detail["question"]["step"]) == ("stuck", 1, 1)
    assert sum(view.detail["flags"].values()) == 2
    AnswerFiles(run.directory).leave(1, "x", "y")
    assert followed.look(1.0).detail["answers"] == [{"step": 1, "refused": ""}]


def test_open_items_are_counted_until_they_are_answered(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Numbers(6), model="sim:perfect", k=2, max_samples=4) as run:
        run.solve()
        followed = Followed(Directory(run.directory))
        assert (followed.look(0.0).listed["asks"], followed.look(0.0).listed["total"]) == (2, 6)
        run.answer({1: "1"})
        view = followed.look(1.0)
        assert (view.listed["asks"], view.detail["answered"], view.detail["by"]["person"]) == (1, 1, 1)


def test_whatever_becomes_of_a_run_is_a_state(tmp_path: Path) -> None:
    directory = made(tmp_path)
    older = tmp_path / "older"
    shutil.copytree(directory, older)
    followed = Followed(Directory(directory))
    assert followed.look(0.0).listed["state"] == "done"
    directory.rename(tmp_path / "away")
    gone = followed.look(1.0)
    assert (gone.listed["state"], gone.listed["steps"]) == ("gone", 15)
    (tmp_path / "away").rename(directory)
    assert followed.look(2.0).listed["state"] == "done"
    with closing(sqlite3.connect(directory / "journal.db")) as db:
        db.execute("UPDATE steps SET entry = replace(entry, '1', '2') WHERE step = 9")
        db.commit()
    assert followed.look(3.0).listed["state"] == "done", "what was read and checked is not read again"
    assert Followed(Directory(directory)).look(3.0).listed["state"] == "damaged"
    (directory / "journal.db").write_bytes(b"no journal")
    assert followed.look(4.0).listed["state"] == "damaged"


def test_whatever_stands_in_a_run_only_its_own_state_tells(tmp_path: Path) -> None:
    directory = made(tmp_path)
    kept = (directory / "settings.json").read_text()
    for content, state in (("{", "damaged"), ("[]", "damaged"), (kept.replace('"version": 4', '"version": 99'), "unreadable")):
        (directory / "settings.json").write_text(content)
        assert Followed(Directory(directory)).look(0.0).listed["state"] == state
    (directory / "settings.json").unlink()
    os.mkfifo(directory / "settings.json")
    assert Followed(Directory(directory)).look(0.0).listed["state"] == "damaged"
    assert Followed(Directory(tmp_path / "a\udcff")).look(0.0).listed["name"] == r"a\udcff"


def test_an_older_copy_of_the_journal_is_told_from_the_run(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(4), model="sim:perfect", k=1) as run:
        for step in run.events():
            if step.step == 5:
                with (
                    closing(sqlite3.connect(run.directory / "journal.db")) as db,
                    closing(sqlite3.connect(tmp_path / "old")) as old,
                ):
                    db.backup(old)
    followed = Followed(Directory(run.directory))
    assert followed.look(0.0).listed["state"] == "done"
    for path in run.directory.glob("journal.db-*"):
        path.unlink()
    shutil.copy(tmp_path / "old", run.directory / "journal.db")
    view = followed.look(1.0)
    assert view.listed["state"] == "older"
    assert "older copy" in view.listed["why"]


def test_a_run_that_has_taken_the_name_of_another_is_read_anew(tmp_path: Path) -> None:
    followed = Followed(Directory(made(tmp_path)))
    assert followed.look(0.0).detail["read"] == 15
    shutil.rmtree(tmp_path / "r")
    made(tmp_path, disks=3)
    view = followed.look(1.0)
    assert (view.listed["steps"], view.listed["total"], view.detail["read"]) == (7, 7, 7)


def test_a_journal_that_was_put_back_and_went_another_way_is_read_anew(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(4), model="sim:perfect,error=.4", k=2, seed=1, max_steps=8) as run:
        with pytest.raises(Exception, match="8 steps"):
            run.solve()
        followed = Followed(Directory(run.directory))
        before = followed.look(0.0)
    with closing(sqlite3.connect(run.directory / "journal.db")) as db:
        (kept,) = db.execute("SELECT hash FROM steps WHERE step = 8").fetchone()
    followed._head = "00" * len(kept)
    (run.directory / "session.json").touch()
    view = followed.look(1.0)
    assert view.detail["replaced"]
    assert view.detail["read"] == before.detail["read"] == 8


def test_who_only_looks_imports_no_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "foreign_numbers.py").write_text(FOREIGN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("foreign_numbers", None)
    loaded = load_task("foreign_numbers:Numbers", {"number": 4})
    with Run.create(tmp_path / "r", loaded, model="sim:perfect", k=2, max_samples=4) as run:
        run.solve()
    (tmp_path / "imported").unlink()
    sys.modules.pop("foreign_numbers")
    view = Followed(Directory(run.directory)).look(0.0)
    assert (view.listed["asks"], view.listed["total"]) == (2, 4)
    assert not (tmp_path / "imported").exists()


def test_a_watcher_keeps_nothing_from_the_run(tmp_path: Path) -> None:
    """While a run commits, it is looked at without a pause, and the run ends as it would have."""
    followed = Followed(Directory(tmp_path / "r"))

    async def both() -> dict[str, Any]:
        with Run.create(tmp_path / "r", Hanoi(6), model="sim:perfect,error=.1,flagged=.1", k=2) as run:
            work = asyncio.ensure_future(run.asolve())
            while not work.done():
                await asyncio.to_thread(followed.look, time.monotonic())
            return dict(await work)

    result = asyncio.run(both())
    assert (result["verdict"], result["steps"]) == ("proved", 63)
    with opened(tmp_path / "r") as run:
        run.journal.check(63)
    assert followed.look(time.monotonic()).detail["read"] == 63


def test_what_a_run_says_of_itself_stops_nobody(tmp_path: Path) -> None:
    directory = made(tmp_path)
    kept = json.loads((directory / "session.json").read_text())
    for said in ({"total": 10**400}, {"total": 0}, {"total": 2**63 - 1}, {"why": "\u202e" * 1000}):
        (directory / "session.json").write_text(json.dumps({**kept, **said}))
        json.dumps(Followed(Directory(directory)).look(0.0), allow_nan=False)
    assert following._sendable({"cost": math.inf, "rate": math.nan, "left": 1.5, "steps": 10**400}) == {
        "cost": None,
        "rate": None,
        "left": 1.5,
        "steps": 10**400,
    }


def test_a_look_with_no_time_for_steps_tells_how_far_the_run_is(tmp_path: Path) -> None:
    followed = Followed(Directory(made(tmp_path)))
    view = followed.look(0.0, 0.0)
    assert (view.listed["state"], view.listed["steps"], view.detail["read"]) == ("done", 15, 0)
    assert followed.look(1.0).detail["read"] == 15


@pytest.mark.parametrize(
    "answer", [{"next_state": [[1], [2], [], [], [], [], [], [], [], [], [3]]}, {"next_state": 7}, [], None]
)
def test_only_a_position_of_hanoi_is_drawn(answer: Any) -> None:
    settings = new_settings("hanoi", {"disks": 3}, "sim:perfect")
    assert following._pegs(settings, answer, 5) is None
    assert following._pegs(settings, {"next_state": [[3], [], [2, 1]]}, 5) == {"step": 5, "at": "220"}
    odd = settings.model_copy(update={"options": {"disks": 3, "source": "<b>"}})
    assert following._pegs(odd, None, 0) is None


def test_steps_before_an_unreadable_one_are_counted_once(tmp_path: Path) -> None:
    followed = Followed(Directory(made(tmp_path)))
    followed.look(0.0, 0.0)
    counts = followed._counts
    assert counts is not None
    add = counts.add

    def damaged(entries: Any) -> None:
        add(list(entries)[:4])
        raise DamagedRun("The journal is damaged at step 5.", 5)

    counts.add = damaged  # type: ignore[method-assign]  # what an entry that only its reader finds odd comes to
    assert followed.look(1.0).listed["state"] == "damaged"
    (followed.home.folder / "session.json").touch()
    view = followed.look(2.0)
    assert view.detail["samples"] == Followed(followed.home).look(2.0).detail["samples"]
    assert (view.detail["read"], view.detail["replaced"]) == (15, False)


def test_a_run_at_work_is_looked_at_anew_for_it_may_die_without_a_change_of_its_files(tmp_path: Path) -> None:
    directory = made(tmp_path)
    with Session(SessionFile(directory), 15) as session:
        session.say("at work", 9)
        followed = Followed(Directory(directory))
        assert [followed.look(now).listed["state"] for now in (0.0, 1.0)] == ["at work", "at work"]
    assert followed.look(2.0).listed["state"] == "died"
