"""An answer is read and checked before it is left; the task of somebody's is imported only if the user said so."""

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Run
from maker_graph.errors import Undecided, UsageError
from maker_graph.run.directory import Directory, settings_of
from maker_graph.run.left_answers import LONGEST, AnswerFiles
from maker_graph.tasks import Hanoi
from maker_graph.tasks.loading import cut_task, load_task
from maker_graph.watch.desk import Desk, Trusted
from maker_graph.watch.following import Followed
from tests.run.test_review import Torn
from tests.run.test_waiting import MOVES, STUCK
from tests.watch.test_following import FOREIGN


def stuck(folder: Path) -> Path:
    with Run.create(folder / "r", Hanoi(2), **STUCK) as run, pytest.raises(Undecided):
        run.solve()
    return run.directory


@pytest.fixture
def numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a run of a task that is code of the user's, with two open items."""
    (tmp_path / "foreign_numbers.py").write_text(FOREIGN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("foreign_numbers", None)
    loaded = load_task("foreign_numbers:Numbers", {"number": 6})
    with Run.create(tmp_path / "r", loaded, model="sim:perfect", k=2, max_samples=4) as run:
        run.solve()
    sys.modules.pop("foreign_numbers")
    (tmp_path / "imported").unlink()
    return run.directory


def test_an_answer_to_a_stuck_step_is_checked_by_the_rules_and_left(tmp_path: Path) -> None:
    directory, desk = stuck(tmp_path), Desk()
    (ask,) = desk.queue(Directory(directory))["asks"]
    assert (ask["step"], ask["kind"], ask["samples"]) == (1, "step", 2)
    assert "Find the one next move" in ask["prompt"][-1][1]
    assert "malformed" in desk.answer(Directory(directory), 1, "no move", candidate=False).refused
    assert "invalid" in desk.answer(Directory(directory), 1, MOVES[1], candidate=False).refused
    assert "empty" in desk.answer(Directory(directory), 1, "", candidate=False).refused
    assert "longer than" in desk.answer(Directory(directory), 1, "x" * (LONGEST + 1), candidate=False).refused
    assert "does not wait" in desk.answer(Directory(directory), 2, MOVES[0], candidate=False).refused
    with pytest.raises(UsageError, match="by a reply"):
        desk.answer(Directory(directory), 1, MOVES[0], candidate=True)
    assert AnswerFiles(directory).all() == []
    assert desk.answer(Directory(directory), 1, MOVES[0], candidate=False).refused == ""
    assert [each.reply for each in AnswerFiles(directory).all()] == [MOVES[0]]
    assert desk.queue(Directory(directory))["asks"][0]["left"]


def test_without_a_word_of_the_user_no_code_is_imported_and_the_page_says_what_to_type(numbers: Path) -> None:
    desk = Desk()
    queue = desk.queue(Directory(numbers))
    assert [each["step"] for each in queue["asks"]] == [1, 4]
    assert queue["asks"][0]["prompt"] == []
    assert queue["asks"][0]["replies"]
    assert "--task foreign_numbers:Numbers" in queue["needs"]
    with pytest.raises(UsageError, match="--task foreign_numbers:Numbers"):
        desk.answer(Directory(numbers), 1, "1", candidate=False)
    assert not Path("imported").exists()


@pytest.mark.parametrize("trusted", [Trusted("foreign_numbers:Numbers"), Trusted(directories=True)])
def test_a_task_that_the_user_names_or_trusts_reads_the_answers(numbers: Path, trusted: Trusted) -> None:
    desk = Desk(trusted)
    queue = desk.queue(Directory(numbers))
    assert queue["needs"] == ""
    assert [each["prompt"][-1][1] for each in queue["asks"]] == ["number 1", "number 4"]
    assert "malformed" in desk.answer(Directory(numbers), 4, "four", candidate=False).refused
    assert "decided already" in desk.answer(Directory(numbers), 2, "-2", candidate=False).refused
    assert desk.answer(Directory(numbers), 2, "2", candidate=False).refused == ""
    assert "no item" in desk.answer(Directory(numbers), 9, "9", candidate=False).refused
    assert desk.answer(Directory(numbers), 4, "4", candidate=False).refused == ""
    assert [(each.step, each.reply) for each in AnswerFiles(numbers).all()] == [(4, "4")]


def test_a_candidate_of_the_ballot_is_taken_as_it_stands(tmp_path: Path) -> None:
    how: dict[str, Any] = {"k": 9, "max_samples": 9, "retry_temperature": None, "seed": 3, "model": "sim:perfect,error=.5"}
    with Run.create(tmp_path / "r", load_task("tests.run.test_review:Torn", {}), **how) as run:
        run.solve()
    desk = Desk(Trusted(directories=True))
    ask = desk.queue(Directory(run.directory))["asks"][0]
    assert {"1", "7"} <= {row["value"] for row in ask["ballot"]}
    assert "invalid" in desk.answer(Directory(run.directory), 1, "8", candidate=True).refused
    assert desk.answer(Directory(run.directory), 1, "1", candidate=True).refused == ""
    with Run.open(run.directory, task=Torn()) as again:
        again.solve()
        assert next(again.steps()).answer == 1


def test_another_question_than_the_one_that_was_read_is_not_answered(tmp_path: Path) -> None:
    desk = Desk()
    (ask,) = desk.queue(Directory(stuck(tmp_path)))["asks"]
    shutil.rmtree(tmp_path / "r")
    directory = stuck(tmp_path)  # another run of this name, stuck at the same step
    assert "another question" in desk.answer(Directory(directory), 1, MOVES[0], candidate=False, asked=ask["id"]).refused
    (now,) = desk.queue(Directory(directory))["asks"]
    assert now["id"] != ask["id"]
    assert desk.answer(Directory(directory), 1, MOVES[0], candidate=False, asked=now["id"]).refused == ""


def test_an_answer_that_no_session_will_use_does_not_count_as_left(tmp_path: Path) -> None:
    directory = stuck(tmp_path)
    AnswerFiles(directory).leave(1, MOVES[0], "0" * 64)
    assert "left" not in Desk().queue(Directory(directory))["asks"][0]


def test_runs_that_say_they_are_the_same_have_tasks_of_their_own(tmp_path: Path) -> None:
    one = stuck(tmp_path)
    two = tmp_path / "two"
    shutil.copytree(one, two)
    kept = json.loads((two / "settings.json").read_text())
    desk = Desk()
    desk._task(Directory(one), settings_of(one))
    (two / "settings.json").write_text(json.dumps({**kept, "options": {**kept["options"], "disks": 5}}))
    assert desk._task(Directory(two), settings_of(two)).disks == 5  # type: ignore[union-attr]  # it is Hanoi


def test_a_command_that_is_shown_can_be_typed_whatever_the_names_are(tmp_path: Path) -> None:
    folder = tmp_path / "my runs; touch taken #"
    folder.mkdir()
    directory = stuck(folder)
    kept = json.loads((directory / "settings.json").read_text())
    (directory / "settings.json").write_text(json.dumps({**kept, "task": "a:B; touch taken"}))
    needs = Desk()._missing(Directory(directory), settings_of(directory))
    command = shlex.split(needs[needs.index("maker-graph watch") :])
    assert command == ["maker-graph", "watch", str(directory), "--task", "a:B; touch taken"]
    (directory / "settings.json").write_text(json.dumps(kept))
    assert shlex.split(Followed(Directory(directory)).look(0.0).detail["path"]) == [str(directory)]


def test_an_open_item_of_a_slice_is_the_one_that_its_run_asked(tmp_path: Path, numbers: Path) -> None:
    whole = load_task("foreign_numbers:Numbers", {"number": 6})
    first, second = cut_task(whole, 2)
    for place, each in enumerate((first, second)):
        with Run.create(tmp_path / f"s-{place}", each, model="sim:perfect", k=2, max_samples=4) as run:
            run.solve()
    desk = Desk(Trusted(task="foreign_numbers:Numbers"))
    asks = [each for place in (0, 1) for each in desk.queue(Directory(tmp_path / f"s-{place}"))["asks"]]
    assert [each["prompt"] for each in asks] == [each["prompt"] for each in desk.queue(Directory(numbers))["asks"]]
