"""Runs that maker_graph 0.1.0 made: they open, verify, resume, report and certify as they did then."""

import json
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from maker_graph.errors import DamagedRun, OlderJournal, UnusableRun
from maker_graph.run.directory import opened
from maker_graph.run.summary import summary
from maker_graph.runs import Run

FIXTURES = Path(__file__).parent / "fixtures"

SAID: dict[str, dict[str, Any]] = json.loads((FIXTURES / "said.json").read_text(encoding="utf-8"))
"""What 0.1.0 said of each run."""

RUNS = ("finished", "killed", "lookahead", "records")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy the runs to where they can be written."""
    for name in RUNS:
        shutil.copytree(FIXTURES / name, tmp_path / name)
    shutil.move(tmp_path / "records" / "rows.csv", tmp_path)
    monkeypatch.chdir(tmp_path)


def assert_said(result: Mapping[str, Any], said: Mapping[str, Any], *, but: Sequence[str] = ()) -> None:
    """See that a run is said to be what it was said to be; of what is counted since there was nothing.

    What was called verified is proved now, or consistent if its task knows no goal, as records.
    """
    same = {*said} - {*but, "verified"}
    assert {name: result[name] for name in same} == {name: said[name] for name in same}
    assert not any(
        result[name] for name in {*result} - {*said, "run", "verdict", "because", "single_differs", "single_wrong", "rule"}
    )
    over = "proved" if result["task"] == "hanoi" else "consistent"
    assert result["verdict"] == (over if said["verified"] else "unfinished")
    assert bool(result["single_differs"]) == (said["first_sample_wrong_at"] is not None)


def form(name: str) -> int:
    with closing(sqlite3.connect(Path(name) / "journal.db")) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


@pytest.mark.parametrize("name", RUNS)
def test_they_are_read_as_they_were_and_not_changed_by_it(name: str) -> None:
    with opened(Path(name)) as run:
        assert_said(summary(run), SAID[name])
    assert form(name) == 0
    assert not (Path(name) / "journal.watermark").exists()


def test_one_that_was_killed_goes_on_to_the_same_end() -> None:
    with Run.open("killed") as run:
        result, ended = run.solve(), SAID["ended"]
    assert_said(result, ended, but=("samples", "tokens", "seconds", "dropped", "sessions"))
    assert result["sessions"] == SAID["killed"]["sessions"] + 1
    assert result["samples"] >= ended["samples"], "what it had spent before is counted"


@pytest.mark.parametrize("name", ["finished", "lookahead", "records"])
def test_one_that_was_finished_stays_so_when_it_is_resumed(name: str) -> None:
    with Run.open(name) as run:
        result = run.solve()
    assert_said(result, SAID[name], but=("seconds", "sessions"))


@pytest.mark.parametrize("name", RUNS)
def test_they_are_certified_and_reported(name: str) -> None:
    with Run.open(name) as run:
        assert run.certify().steps == SAID[name]["steps"]
        page, *_ = run.report()
    assert str(SAID[name]["steps"]) in page.read_text(encoding="utf-8")


def test_once_resumed_they_have_a_high_water_mark_and_an_older_copy_is_noticed() -> None:
    shutil.copytree("killed", "before")
    with Run.open("killed") as run:
        run.solve()
    assert form("killed") == 3
    for ending in ("", "-wal"):
        shutil.copy(f"before/journal.db{ending}", f"killed/journal.db{ending}")
    with pytest.raises(OlderJournal, match="steps 32 to 63"):
        Run.open("killed")


def test_a_journal_of_a_newer_form_is_refused_in_one_sentence() -> None:
    with closing(sqlite3.connect("finished/journal.db")) as db:
        db.execute("PRAGMA user_version = 4")
    with pytest.raises(UnusableRun, match=r"^The journal was written by a newer maker_graph \(form 4\): install that version"):
        Run.open("finished")


@pytest.mark.parametrize("wrong", [1, 2, 3, -7])
def test_a_form_that_the_rest_of_the_journal_does_not_have_is_damage(wrong: int) -> None:
    with closing(sqlite3.connect("finished/journal.db")) as db:
        db.execute(f"PRAGMA user_version = {wrong}")
    with pytest.raises(DamagedRun, match=r"form|tables"):
        Run.open("finished")


def test_settings_of_a_newer_form_are_refused_in_one_sentence() -> None:
    path = Path("finished/settings.json")
    path.write_text(json.dumps({"version": 99, "whatever": {}}), encoding="utf-8")
    with pytest.raises(UnusableRun, match=r"newer maker_graph \(form 99\): install that version"):
        Run.open("finished")
