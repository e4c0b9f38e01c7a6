"""Answers that were left are taken up once, by who goes on with the run; with `wait` it goes on when they come."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Run
from maker_graph.errors import LimitReached, TakenOver, Undecided
from maker_graph.run import solving
from maker_graph.run.left_answers import AnswerFiles, LeftAnswer
from maker_graph.run.session import Session
from maker_graph.run.session_file import SessionFile, read_session
from maker_graph.run.waiting import Waiting
from maker_graph.tasks import Hanoi
from tests.run.test_review import Numbers
from tests.survival.harness import Children, wait_until

STUCK: dict[str, Any] = {
    "model": "sim:perfect,flagged=1",
    "k": 1,
    "max_samples": 2,
    "retry_temperature": None,
    "rephrase": False,
}
MOVES = ["move = [1, 0, 1]\nnext_state = [[2], [1], []]", "move = [2, 0, 2]\nnext_state = [[], [1], [2]]"]
LAST = "move = [1, 1, 2]\nnext_state = [[], [], [2, 1]]"

RESUMES = """
import sys
sys.path.insert(0, ".")
from maker_graph import Run
from tests.run.test_review import Numbers
with Run.open("r", task=Numbers(60)) as run:
    run.solve()
"""


def head(directory: Path) -> str:
    with Run.open(directory) as run:
        return run._opened.journal.head


def asked(directory: Path) -> tuple[str, bool, int] | None:
    """Return how the session stands, whether it lives, and on which step it is stuck."""
    seen = read_session(directory)
    return None if seen is None or seen.said.question is None else (seen.said.state, seen.lives, seen.said.question.step)


async def until(true: Callable[[], bool]) -> None:
    """Return as soon as something is true."""
    while not true():  # noqa: ASYNC110  it happens on the disk
        await asyncio.sleep(0.01)


def stuck(folder: Path) -> Run:
    run = Run.create(folder / "r", Hanoi(2), **STUCK)
    with pytest.raises(Undecided):
        run.solve()
    return run


def test_the_next_session_takes_the_answer_to_a_stuck_step_and_pays_for_nothing(tmp_path: Path) -> None:
    with stuck(tmp_path) as run:
        left, drawn = AnswerFiles(run.directory), run.verify()["samples"]
        left.leave(1, MOVES[0], head(run.directory))
        with pytest.raises(Undecided) as second:
            run.solve()
        assert (run.step, next(run.steps()).decision["by"]) == (1, "person")
        assert run.verify()["samples"] == drawn + second.value.samples
        assert left.all() == []


def test_an_answer_that_is_refused_is_kept_with_the_reason_and_not_tried_again(tmp_path: Path) -> None:
    told: list[str] = []
    with stuck(tmp_path) as run:
        left, drawn = AnswerFiles(run.directory), run.verify()["samples"]
        left.leave(1, "move it", head(run.directory))
        with pytest.raises(Undecided, match="malformed"):
            run.solve(warn=told.append)
        (kept,) = left.all()
        assert ("malformed" in kept.refused, left.waiting(), run.step) == (True, {}, 0)
        assert run.verify()["samples"] == drawn
        assert any("was not taken" in text for text in told)


def test_an_answer_to_another_question_is_not_used(tmp_path: Path) -> None:
    with stuck(tmp_path) as run:
        AnswerFiles(run.directory).leave(1, MOVES[0], "0" * 64)
        with pytest.raises(Undecided):
            run.solve()
        assert run.step == 0


def test_where_the_checkpoint_that_waits_is_gone_the_step_is_voted_on_again_and_then_answered(tmp_path: Path) -> None:
    with stuck(tmp_path) as run:
        for path in run.directory.glob("checkpoints.db*"):
            path.unlink()
        AnswerFiles(run.directory).leave(1, MOVES[0], head(run.directory))
        with pytest.raises(Undecided):
            run.solve()
        assert run.step == 1


async def test_a_waiting_run_goes_on_with_each_answer_to_its_end(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "r", Hanoi(2), **STUCK)
    with run:
        work = asyncio.ensure_future(run.asolve(wait=True))
        for step, reply in enumerate([*MOVES, LAST], start=1):
            await until(lambda step=step: asked(run.directory) == ("waits", True, step))  # type: ignore[misc]  # a default of its own
            assert AnswerFiles(run.directory).all() == [], "what is decided waits no longer"
            AnswerFiles(run.directory).leave(step, reply, head(run.directory))
        result = await work
        assert (result["verdict"], result["steps"]) == ("proved", 3)
    seen = read_session(run.directory)
    assert seen is not None
    assert seen.said.state == "done"


async def test_who_waits_ends_when_another_process_goes_on(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(2), **STUCK) as run:
        work = asyncio.ensure_future(run.asolve(wait=True))
        await until(lambda: asked(run.directory) == ("waits", True, 1))
        with Run.open(tmp_path / "r") as other:
            other._opened.journal.claim()
        with pytest.raises(TakenOver):
            await work


async def test_open_items_are_waited_for_and_their_answers_written_once(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Numbers(6), model="sim:perfect", k=2, max_samples=4) as run:
        work = asyncio.ensure_future(run.asolve(wait=True))
        left = AnswerFiles(run.directory)
        left.leave(1, "1")  # before anybody is asked
        left.leave(4, "four")
        await until(lambda: any(each.refused for each in left.all()))
        left.leave(4, "-4")
        result = await work
        assert (result["verdict"], [step.answer for step in run.steps()]) == ("consistent", [1, 2, 3, -4, 5, 6])
        assert left.all() == []


def test_a_limit_ends_a_waiting_run_all_the_same(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(2), **STUCK, max_calls=1) as run, pytest.raises(LimitReached):
        run.solve(wait=True)


@pytest.mark.parametrize("after", [0.0, 0.004, 0.01, 0.03])
def test_answers_survive_a_kill_and_are_applied_once(children: Children, tmp_path: Path, after: float) -> None:
    with Run.create(tmp_path / "r", Numbers(60), model="sim:perfect", k=2, max_samples=4) as run:
        run.solve()
        left = AnswerFiles(run.directory)
        for number in range(1, 61, 3):
            left.leave(number, str(number))
    child = children.start(tmp_path, "script", source=RESUMES)
    wait_until(lambda: len(left.all()) < 20)
    asyncio.run(asyncio.sleep(after))
    child.send(signal.SIGKILL)
    child.wait()
    with Run.open(tmp_path / "r", task=Numbers(60)) as run:
        assert run.solve()["verdict"] == "consistent"
        assert [step.answer for step in run.steps()] == list(range(1, 61))
        assert run._opened.journal.account().amended == 20
    assert left.all() == []


async def test_answers_that_cannot_be_taken_up_are_waited_past(tmp_path: Path) -> None:
    told: list[str] = []
    with Run.create(tmp_path / "r", Numbers(6), model="sim:perfect", k=2, max_samples=4) as run:
        left = AnswerFiles(run.directory)
        left.leave(999, "999")  # no item
        work = asyncio.ensure_future(run.asolve(wait=True, warn=told.append))
        await until(lambda: (seen := read_session(run.directory)) is not None and seen.said.state == "waits")
        left.leave(1, "1")
        left.leave(4, "4")
        await work
        assert len([text for text in told if "Items that wait for answers" in text]) == 1
        assert [each.step for each in left.all()] == [999]


class Stays(AnswerFiles):
    """Answers whose files cannot be taken away, as on a disk that takes no writes."""

    def remove(self, left: LeftAnswer) -> None: ...


async def test_an_answer_whose_file_stays_is_taken_up_once(tmp_path: Path) -> None:
    told: list[str] = []
    with Run.create(tmp_path / "r", Hanoi(2), **STUCK) as run:
        with pytest.raises(Undecided):
            await run.asolve()
        opened_, drawn = run._opened, list[str | None]()
        waiting = Waiting(opened_, Session(SessionFile(run.directory), None), told.append)
        waiting._left = Stays(run.directory)
        waiting._left.leave(1, "move it", head(run.directory))

        async def solve(answer: str | None) -> None:
            drawn.append(answer)
            await solving.solve(opened_, answer=answer)

        work = asyncio.ensure_future(waiting.solved(solve, wait=True))
        await until(lambda: bool(told) and "waits for an answer" in told[-1])
        await asyncio.sleep(0.1)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        assert drawn == ["move it"]


async def test_a_wait_that_is_interrupted_leaves_its_question(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(2), **STUCK) as run:
        work = asyncio.ensure_future(run.asolve(wait=True))
        await until(lambda: asked(run.directory) == ("waits", True, 1))
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert asked(tmp_path / "r") == ("interrupted", False, 1)
    AnswerFiles(run.directory).leave(1, MOVES[0], head(run.directory))
    with Run.open(tmp_path / "r") as run:
        drawn = run.verify()["samples"]
        with pytest.raises(Undecided) as second:
            await run.asolve()
        assert (run.step, run.verify()["samples"]) == (1, drawn + second.value.samples)
