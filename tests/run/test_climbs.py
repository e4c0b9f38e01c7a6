"""What a rung has passed on it does not vote on again: after a limit, a kill, a retry, or a lost checkpoint."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from maker_graph import AheadBy, LimitReached, Run, Rung, Undecided, Voting
from maker_graph.cli.summary import _summary_rows
from maker_graph.core.items import Items
from maker_graph.run.votings import NO_LADDER
from tests.graph.test_maker import Countdown
from tests.models.serving import gateway

Asked = Counter[str]

UNANIMOUS = Voting(k=AheadBy(2, within=2))
TWO = Voting(k=2, stuck_after=2)


class Down(Countdown):
    """Two steps, each of which takes one off."""

    def __init__(self) -> None:
        super().__init__(2)


class Numbers(Items):
    """Numbers, from each of which one is taken off."""

    items = (7, 8, 9)

    def prompt(self, item: int) -> str:
        return str(item)

    def parse(self, text: str) -> int:
        return int(text)


@pytest.fixture
def asked() -> Asked:
    """Return how often each model was asked."""
    return Counter()


@pytest.fixture
def strong() -> dict[str, str]:
    """Return what the strong model says, where it is not a right answer."""
    return {}


@pytest.fixture(autouse=True)
def provider(asked: Asked, strong: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve a weak model that says two things in turn, and a strong one."""

    def reply(body: dict[str, Any]) -> str:
        model, question = body["model"], body["messages"][-1]["content"]
        asked[model] += 1
        if not question.isdigit():
            return str(asked[model])  # one of the questions before the first step
        asked[f"{model} {question}"] += 1
        right = str(int(question) - 1)
        if model == "weak":
            return right if asked[f"{model} {question}"] % 2 else "50"
        return strong.get(question, right)

    with gateway(reply, cache=False) as (url, _):
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        yield url


def made(path: Path, task: Any, second: Voting = TWO, **how: Any) -> Run:
    rungs = [Rung("openai:weak", UNANIMOUS), Rung("openai:strong", second)]
    return Run.create(path / "run", task, cascade=rungs, fsync="normal", **how)


@pytest.mark.parametrize("task", [Down, Numbers])
def test_a_limit_on_the_second_rung_costs_the_first_one_nothing(tmp_path: Path, task: Callable[[], Any], asked: Asked) -> None:
    with made(tmp_path, task()) as run:
        with pytest.raises(LimitReached):
            run.solve(max_calls=3, probe=False, concurrency=1)
        assert (run.step, asked["weak"]) == (0, 2)
        before = asked["strong"]
    with Run.open(tmp_path / "run", task=task()) as run:
        result = run.solve(max_calls=100, concurrency=1)
        steps = result["steps"]
        assert (asked["weak"], asked["strong"]) == (2 * steps, 2 * steps + before)
        assert result["samples"] == 4 * steps + before, "all that was drawn is counted, and once"
        assert [rung["samples"] for rung in result["rungs"]] == [2 * steps, 2 * steps]
        assert [rung["passed"] for rung in result["rungs"]] == [steps, 0]


def test_a_kill_on_the_second_rung_costs_the_first_one_nothing(tmp_path: Path, asked: Asked, provider: str) -> None:
    script = (
        "import itertools, os, signal, sys\n"
        "from tests.run.test_climbs import Down, made\n"
        "os.environ.update(OPENAI_BASE_URL=sys.argv[2], OPENAI_API_KEY='any')\n"
        "from pathlib import Path\n"
        "calls = itertools.count(1)\n"
        "kill = lambda _: next(calls) == 3 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "made(Path(sys.argv[1]), Down()).solve(record=kill, probe=False, concurrency=1)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), provider]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert asked["weak"] == 2
    with Run.open(tmp_path / "run", task=Down()) as run:
        result = run.solve(concurrency=1)
        assert asked["weak"] == 2 * 2
        assert [rung["samples"] for rung in result["rungs"]] == [4, 4]
        assert result["verdict"] == "consistent"


def test_a_step_that_is_stuck_on_the_second_rung_goes_on_there(tmp_path: Path, asked: Asked, strong: dict[str, str]) -> None:
    strong["2"] = "?"
    with made(tmp_path, Down()) as run, pytest.raises(Undecided) as stopped:
        run.solve(probe=False)
    assert (stopped.value.passed, asked["weak"], asked["strong"]) == (False, 2, 2)
    with Run.open(tmp_path / "run", task=Down()) as run, pytest.raises(Undecided):
        run.solve(probe=False)
    assert (asked["weak"], asked["strong"]) == (2, 4)
    strong.clear()
    with Run.open(tmp_path / "run", task=Down()) as run:
        assert run.solve(probe=False)["done"]
        assert [step.decision["by"] for step in run.steps()] == ["rung 2", "rung 2"]
        assert [[vote["by"] for vote in step.decision["tried"]] for step in run.steps()] == [["base"], ["base"]]
    assert asked["weak"] == 4


def test_a_step_that_waits_for_a_person_asks_no_model_and_needs_no_checkpoint(tmp_path: Path, asked: Asked) -> None:
    with Run.create(tmp_path / "run", Down(), model="openai:weak", k=2, within=2, fsync="normal") as run:
        with pytest.raises(Undecided) as stopped:
            run.solve(probe=False)
        before = run.verify()
        assert before["stuck"] is not None
        assert before["stuck"].get("passed") is True
        assert ("Contested", "at step 1, after 2 samples, votes 1:1") in [*_summary_rows(before)]
    for _ in range(2):
        with Run.open(tmp_path / "run", task=Down()) as run:
            with pytest.raises(Undecided) as waits:
                run.solve(probe=True)
            assert (waits.value.passed, waits.value.ballot) == (True, stopped.value.ballot)
            assert waits.value.prompt == stopped.value.prompt
            assert run.verify()["samples"] == before["samples"] == 2
    assert asked["weak"] == 2
    for file in (tmp_path / "run").glob("checkpoints.db*"):
        file.unlink()
    with Run.open(tmp_path / "run", task=Down()) as run:
        with pytest.raises(Undecided, match="malformed"):
            run.solve(answer="one")
        with pytest.raises(Undecided, match="Votes 1:1") as waits:
            run.solve(answer="1")  # the next contested step
        assert (run.step, waits.value.prompt[0][1]) == (1, "1")
        assert asked["weak"] == 4
        assert run.solve(answer="0")["done"]
        pytest.importorskip("matplotlib")
        assert run.report()[0].is_file(), "also where no vote has decided a step, so that there is nothing to certify"
    assert asked["weak"] == 4


def test_a_retry_of_open_items_begins_after_the_rung_that_passed_them_on(
    tmp_path: Path, asked: Asked, strong: dict[str, str]
) -> None:
    strong |= {"7": "?", "8": "?"}
    with made(tmp_path, Numbers()) as run:
        first = run.solve(probe=False)
        assert (run.open_count(), first["passed"], asked["weak"]) == (2, 0, 6)
        del strong["7"]
        result = run.solve(retry_open=True)
        assert (run.open_count(), asked["weak"]) == (1, 6)
        item = next(iter(run.steps())).decision
        assert [vote["by"] for vote in (*item["tried"], item)] == ["base", "rung 2", "rung 2"]
        assert [(rung["steps"], rung["decided"], rung["passed"]) for rung in result["rungs"]] == [(3, 0, 3), (3, 2, 0)]
        assert result["samples"] == sum(step.samples for step in run.steps()) + 2, "what stayed open was paid for too"


def test_what_the_last_rung_passed_on_is_not_tried_again(tmp_path: Path, asked: Asked) -> None:
    with Run.create(tmp_path / "run", Numbers(), cascade=[Rung("openai:weak", UNANIMOUS)] * 2, fsync="normal") as run:
        result = run.solve(probe=False)
        assert (result["passed"], asked["weak"]) == (3, 12)
        run.solve(retry_open=True)
        assert asked["weak"] == 12


def test_a_cascade_of_one_rung_has_no_ladder_either(tmp_path: Path, asked: Asked, strong: dict[str, str]) -> None:
    strong |= {"7": "?", "8": "?", "9": "?"}
    with Run.create(tmp_path / "run", Numbers(), cascade=[Rung("openai:strong", TWO)], fsync="normal") as run:
        run.solve(probe=False)
        assert (run.open_count(), asked["strong"], run.settings.ladder) == (3, 6, NO_LADDER)


def test_a_step_that_is_stuck_on_all_rungs_begins_from_the_first_one_again(tmp_path: Path, strong: dict[str, str]) -> None:
    strong["2"] = "?"
    rungs = [Rung("openai:strong", TWO), Rung("openai:stronger", TWO)]
    with Run.create(tmp_path / "run", Down(), cascade=rungs, fsync="normal") as run, pytest.raises(Undecided):
        run.solve(probe=False)
    strong.clear()
    with Run.open(tmp_path / "run", task=Down()) as run:
        assert run.solve(probe=False)["done"]
        assert [(step.decision["by"], step.decision["tried"]) for step in run.steps()] == [("base", [])] * 2
