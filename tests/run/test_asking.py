"""Who votes in a run: a contested step is left alone, by a retry and by a resume."""

from pathlib import Path
from typing import Any

import pytest

from maker_graph import AheadBy, Confirm, Run, Rung, Undecided, UsageError, Voting, create_maker
from maker_graph.core.guarding import guarded
from maker_graph.core.machine import Machine
from maker_graph.run.asking import Chats, WhoVotes
from maker_graph.run.options import RunOptions
from maker_graph.simulation import Replies
from maker_graph.tasks import Hanoi
from tests.graph.test_parts import Steps, Story, Word
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
    beside: dict[str, Any] = {
        "max_tokens": 9, "max_samples": 7, "stuck_after": 3, "variants": True, "stop": ["x"], "structured": True, "target": 0.5,
        "retry_temperature": None, "rephrase": False, "escalate": "sim:perfect", "temperature": 0.4, "calibration": "x.json",
    }  # fmt: skip
    for name, value in beside.items():
        with pytest.raises(UsageError, match=f"leave out {name}"):
            Run.create(tmp_path / "run", Hanoi(3), cascade=file, **{name: value})
    for name, value in {"seed": 4, "check": False}.items():
        with pytest.raises(UsageError, match=f"leave out {name}"):
            Run.create(tmp_path / "run", Hanoi(3), cascade=[Rung("sim:perfect")], **{name: value})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="model, or a cascade"):
        Run.create(tmp_path / "run", Hanoi(3))


class Leading(Story):
    """A story of which each part has a lead of its own."""

    def __init__(self) -> None:
        super().__init__(choose=Word("choose", k=4), verdict=Word("verdict", k=1))

    def rehearse(self, state: Any) -> Replies:
        return Replies(f"{self.part(state)} {state['n']}", ["no", "never"])


@pytest.mark.parametrize("first", [Voting(k=AheadBy(2, within=2), seed=1), Voting(k=Confirm(2, of=3), seed=1)])
def test_the_rules_of_a_cascade_decide_all_parts_whatever_leads_they_have(tmp_path: Path, first: Voting) -> None:
    rungs = [Rung("sim:perfect,error=.5", first), Rung("sim:perfect", Voting(k=3, seed=1))]
    with Run.create(tmp_path / "run", Leading(), cascade=rungs, fsync="normal") as run:
        result = run.solve()
        ran = [step.decision for step in run.steps()]
        assert result["verdict"] == "consistent"
        assert {run.settings.voting_of(name).k for name in ("choose", "verdict")} == {first.k}
        assert sum(rung["steps"] for rung in result["rungs"]) == sum(1 + len(each["tried"]) for each in ran if each["samples"])
    log = Steps(Machine(Leading()))
    create_maker(Leading(), cascade=rungs, log=log).compile().invoke({})
    seen = [[(each["by"], each["answer"], each["ballot"]) for each in decisions] for decisions in (ran, log.decisions)]
    assert seen[0] == seen[1], "in a graph it is the same"


def test_a_lead_of_a_part_that_its_limit_forbids_is_told_with_the_part(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"part 'choose'.*raise within or lower k"):
        Run.create(tmp_path / "run", Leading(), model="sim:perfect", k=1, within=2)
