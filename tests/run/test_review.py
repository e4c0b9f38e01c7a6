"""A person's answers are amendments: read like a model's, once, and by the owner of the run alone."""

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Items, Run
from maker_graph.core.spending import NOTHING, Reserved
from maker_graph.errors import DamagedRun, TakenOver, UnusableRun, UsageError
from maker_graph.run.left_answers import Candidate
from maker_graph.simulation import Replies
from maker_graph.tasks import Hanoi
from tests.survival.harness import Children

TASK = """
import sys
from pathlib import Path
sys.path.insert(0, ".")
from tests.run.test_review import Numbers
from maker_graph import Run
with Run.open("r", task=Numbers(60)) as run:
    for number in range(1, 61, 3):
        run.answer({number: str(number)})
        Path("told").open("a").write(f"{number}\\n")
"""


class Numbers(Items):
    """Numbers; every third gets no reply that can be read."""

    class rehearsal:  # noqa: N801  an object with one function
        @staticmethod
        def replies(prompt: Any) -> Replies:
            number = int(prompt[-1][1].split()[1])
            return Replies("none", ["no", "-"]) if number % 3 == 1 else Replies(str(number), ["0", "-1"])

    def __init__(self, number: int) -> None:
        self.items = range(1, number + 1)

    def prompt(self, item: int) -> str:
        return f"number {item}"

    def parse(self, text: str) -> Any:
        return int(text)

    def check(self, item: int, answer: int) -> bool:
        return answer in {item, -item}


def made(folder: Path, number: int = 6) -> Run:
    return Run.create(folder / "r", Numbers(number), model="sim:perfect", k=2, max_samples=4)


def test_answers_are_read_like_a_models_and_stored_once(tmp_path: Path) -> None:
    with made(tmp_path) as run:
        assert run.solve()["verdict"] == "open"
        assert [(item.number, item.ballot) for item in run.open_items()] == [(1, {}), (4, {})]
        assert [item.question[-1][1] for item in run.open_items()] == ["number 1", "number 4"]
        drawn = run.verify()["samples"]
        found = run.answer({1: "1", 4: "four", 2: "2", 3: "-3", 9: "9"})
        assert (found.taken, found.open) == ([1], 1)
        assert set(found.refused) == {4, 3, 9}
        assert found.refused[3] == "the item is decided already, by another answer"
        assert run.answer({1: "1"}) == ([], {}, 1)
        assert "another answer" in run.answer({1: "-1"}).refused[1]
        assert [step.answer for step in run.steps()] == [1, 2, 3, None, 5, 6]
        assert run.answer({4: "-4"}).open == 0
        result = run.verify()
        assert (result["verdict"], result["samples"]) == ("consistent", drawn)
        assert [step.decision["by"] for step in run.steps()][:2] == ["person", "base"]


class Torn(Items):
    """Numbers on which the votes are torn; the model says "It is N.", and the candidate is N."""

    items = (1, 2)

    class rehearsal:  # noqa: N801  an object with one function
        @staticmethod
        def replies(prompt: Any) -> Replies:
            return Replies(f"It is {prompt[-1][1]}.", ["It is 7.", "It is 8."])

    def prompt(self, item: int) -> str:
        return str(item)

    def parse(self, text: str) -> int:
        return int(text.removeprefix("It is ").removesuffix(".")) if text.startswith("It is ") else int("-")

    def check(self, item: int, answer: int) -> bool:  # noqa: ARG002  the contract's
        return answer != 8


class TornByKey(Torn):
    def key(self, answer: int) -> str:
        return str(answer)


def test_a_candidate_of_the_ballot_is_taken_whatever_the_form_of_a_reply(tmp_path: Path) -> None:
    how: dict[str, Any] = {"k": 9, "max_samples": 9, "retry_temperature": None, "seed": 3, "model": "sim:perfect,error=.5"}
    with Run.create(tmp_path / "r", Torn(), **how) as run:
        run.solve()
        first = next(run.open_items())
        assert {"1", "7"} <= first.ballot.keys()
        assert "malformed" in run.answer({1: "1"}).refused[1]
        assert "invalid" in run.answer({1: Candidate("8")}).refused[1]
        assert run.answer({1: Candidate("1")}).taken == [1]
        assert next(run.steps()).answer == 1
    with Run.create(tmp_path / "k", TornByKey(), **how) as run:
        run.solve()
        assert "are keys" in run.answer({1: Candidate("1")}).refused[1]


def test_a_reservation_of_calls_under_way_outlives_an_answer(tmp_path: Path) -> None:
    with made(tmp_path) as run:
        run.solve()
        journal = run._opened.journal
        journal.spend(NOTHING, Reserved(calls=3))
        assert run.answer({1: "1"}).taken == [1]
        assert journal.account().reserved == Reserved(calls=3)


def test_a_damaged_journal_takes_no_answer(tmp_path: Path) -> None:
    with made(tmp_path) as run:
        run.solve()
    with closing(sqlite3.connect(tmp_path / "r" / "journal.db")) as db:
        db.execute("UPDATE steps SET entry = replace(entry, '2', '7') WHERE step = 2")
        db.commit()
    with Run.open(tmp_path / "r", task=Numbers(6)) as run, pytest.raises(DamagedRun, match="step 2"):
        run.answer({1: "1"})


def test_a_task_that_asks_something_else_now_takes_no_answer(tmp_path: Path) -> None:
    class Other(Numbers):
        def prompt(self, item: int) -> str:
            return f"another {item}"

    with made(tmp_path) as run:
        run.solve()
    with Run.open(tmp_path / "r", task=Other(6)) as run, pytest.raises(UnusableRun, match="prompt"):
        run.answer({1: "1"})


def test_the_digest_is_that_of_a_run_that_decided_at_once(tmp_path: Path) -> None:
    class Sure(Numbers):
        def given(self, item: int) -> Any:
            return item

    with made(tmp_path) as run, Run.create(tmp_path / "s", Sure(6), model="sim:perfect", k=2) as sure:
        run.solve()
        run.answer({1: "1", 4: "4"})
        assert run.verify()["digest"] == sure.solve()["digest"]


def test_a_run_that_is_not_over_is_reviewed_and_goes_on(tmp_path: Path) -> None:
    with made(tmp_path, 9) as run:
        with pytest.raises(Exception, match="limit"):
            run.solve(max_steps=5)
        assert run.answer({1: "1"}).taken == [1]
        assert "there is no item 7" in run.answer({7: "7"}).refused[7]
        result = run.solve(max_steps=100)
        assert (result["steps"], run.open_count()) == (9, 2)
        assert [step.answer for step in run.steps()] == [1, 2, 3, None, 5, 6, None, 8, 9]


def test_whoever_was_taken_over_stores_no_answer(tmp_path: Path) -> None:
    with made(tmp_path) as run:
        run.solve()
        with Run.open(tmp_path / "r", task=Numbers(6)) as other:
            assert other.answer({1: "1"}).taken == [1]
        with pytest.raises(TakenOver):
            run.answer({4: "4"})
        assert run.open_count() == 1


def test_a_task_without_items_has_no_queue(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(2), model="sim:perfect", k=1) as run:
        for ask in (lambda: list(run.open_items()), lambda: run.answer({1: "x"})):
            with pytest.raises(UsageError, match="no review queue"):
                ask()


@pytest.mark.parametrize("after", [0.0, 0.05, 0.15, 0.3])
def test_a_kill_while_answers_are_stored_leaves_each_there_or_not(children: Children, tmp_path: Path, after: float) -> None:
    with made(tmp_path, 60) as run:
        run.solve()
    child = children.start(tmp_path, "script", source=TASK)
    deadline = time.monotonic() + 20
    while not (tmp_path / "told").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(after)
    child.send(signal.SIGKILL)
    child.wait()
    told = [int(line) for line in (tmp_path / "told").read_text().split()]
    with Run.open(tmp_path / "r", task=Numbers(60)) as run:
        answered = [step.step for step in run.steps() if step.decision["by"] == "person"]
        assert answered[: len(told)] == told
        assert len(answered) <= len(told) + 1
        rest = {number: str(number) for number in range(1, 61, 3)}
        assert run.answer(rest).taken == [number for number in rest if number not in answered]
        assert run.verify()["verdict"] == "consistent"
        assert [step.answer for step in run.steps()] == list(range(1, 61))


@pytest.mark.parametrize("replies", [{True: "1"}, {1.0: "1"}, {"1": "1"}, {1: 1}, {1: None}, {1: b"1"}, ["1"], None])
def test_what_is_no_answer_is_refused_and_the_journal_stays_whole(tmp_path: Path, replies: Any) -> None:
    with made(tmp_path) as run:
        run.solve()
        with pytest.raises(UsageError, match=r"number of an item|from items to replies|must be a text"):
            run.answer(replies)
        assert run.answer({1: "1"}) == ([1], {}, 1)
