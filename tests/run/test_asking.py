"""Who votes in a run: a contested step is left alone, by a retry and by a resume."""

from pathlib import Path

import pytest

from maker_graph import Run, Undecided, UsageError
from maker_graph.core.guarding import guarded
from maker_graph.run.asking import Chats, WhoVotes
from maker_graph.run.options import RunOptions
from maker_graph.tasks import Hanoi
from tests.run.test_reopening import Rehearsed

TORN = "sim:perfect,error=.4"


def test_contested_items_wait_for_a_person_and_a_retry_leaves_them_alone(tmp_path: Path) -> None:
    told: list[str] = []
    with Run.create(tmp_path / "run", Rehearsed(), model=TORN, k=2, within=2, fsync="normal") as run:
        first = run.solve()
        assert first["passed"] == run.open_count() > 5
        again = run.solve(retry_open=True, warn=told.append)
    assert (again["samples"], again["passed"]) == (first["samples"], first["passed"])
    assert any("contested, and are not voted on again" in text for text in told)


def test_stuck_items_are_voted_on_again_and_contested_ones_are_not(tmp_path: Path) -> None:
    model = "sim:perfect,error=.3,flagged=.6"
    how = {"k": 2, "within": 2, "stuck_after": 3, "retry_temperature": None, "rephrase": False}
    with Run.create(tmp_path / "run", Rehearsed(), model=model, **how, fsync="normal") as run:  # type: ignore[arg-type]
        first = run.solve()
        assert 0 < first["passed"] < run.open_count()
        open_before = run.open_count()
        again = run.solve(retry_open=True)
        assert again["samples"] > first["samples"]
        assert again["passed"] >= first["passed"]
        assert run.open_count() < open_before


def test_a_run_that_stopped_at_a_contested_step_asks_no_model_again(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", Hanoi(3), model=TORN, k=3, within=3, seed=2, check=False, fsync="normal") as run:
        with pytest.raises(Undecided) as stopped:
            run.solve()
        assert stopped.value.passed
        drawn = run.verify()["samples"]
    with Run.open(tmp_path / "run") as again:
        with pytest.raises(Undecided) as waits:
            again.solve()
        assert (waits.value.ballot, waits.value.prompt) == (stopped.value.ballot, stopped.value.prompt)
        assert again.verify()["samples"] == drawn
        task = Hanoi(3)
        state = task.start()
        for step in again.steps():
            state = task.apply(state, step.answer)  # type: ignore[arg-type]
        right = task.truth(state)
        reply = f"move = {right['move']}\nnext_state = {right['next_state']}"
        with pytest.raises(Undecided):  # the next contested one
            again.solve(answer=reply)
        assert again.step >= 1


def test_a_limit_on_samples_is_for_every_rung(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text('{"rungs": [{"model": "sim:perfect", "k": 2}, {"model": "sim:perfect", "k": 5, "max_samples": 30}]}')
    with Run.create(tmp_path / "run", Hanoi(3), cascade=file) as run:
        settings, task = run.settings, Hanoi(3)
    for options, most in ((RunOptions(), 130), (RunOptions(max_samples=7), 14)):
        who = WhoVotes(settings, options, Chats.of(settings, options, task))
        assert who.most_samples(guarded(task)) == most


def test_what_the_rungs_say_is_not_said_twice(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text('{"rungs": [{"model": "sim:perfect"}]}')
    with pytest.raises(UsageError, match="leave out model, k, within"):
        Run.create(tmp_path / "run", Hanoi(3), cascade=file, model="sim:perfect", k={"a": 2}, within=3)
    with pytest.raises(UsageError, match="model, or a cascade"):
        Run.create(tmp_path / "run", Hanoi(3))
