"""How a run votes: what is said, what a part has of its own, or what a plan asks for."""

from pathlib import Path
from typing import Any

import pytest

from maker_graph.calibration.file import open_calibration
from maker_graph.calibration.leads import Said, Votes, planned_votes
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError
from maker_graph.run.votings import PartSettings
from maker_graph.tasks import Hanoi
from maker_graph.tasks.loading import described
from tests.calibration.making import at, request_of, result_of

WEAK = "sim:perfect,error=0.2,flagged=0"


class Word:
    def __init__(self, **own: Any) -> None:
        vars(self).update(own)

    def prompt(self, state: Any) -> str:
        return f"word {state}"

    def parse(self, text: str) -> str:
        return text


class Look:
    by = "program"

    def answer(self, state: Any, step: int) -> Any:
        return [state, step]


class Pages:
    """A thousand steps: nine in ten choose, one in ten judges."""

    def __init__(self, **own: Any) -> None:
        self.parts: Any = {"choose": Word(), "verdict": Word(**own), "look": Look()}

    def start(self) -> int:
        return 0

    def total(self) -> int:
        return 1000

    def part(self, state: int) -> str | None:
        return None if state == 1000 else "verdict" if state % 10 == 9 else "choose"

    def apply(self, state: int, answer: Any) -> int:  # noqa: ARG002  the contract's
        return state + 1

    def state_at(self, step: int) -> int:
        return step


def votes(model: Any = WEAK, task: Any = None, **said: Any) -> Votes:
    return planned_votes(described(task or Pages()), Said(model, **said), Voting(), 0.95)


def leads(found: Votes) -> dict[str, int]:
    return {name: part.k for name, part in found.parts.items()}


def test_each_part_is_planned_for_its_own_steps() -> None:
    found = leads(votes())
    assert found["choose"] > found["verdict"] > 2  # nine times as many steps
    assert votes().voting.k == found["choose"]
    assert leads(votes("sim:perfect")) == {"choose": 1, "verdict": 1}


def test_what_is_said_comes_before_what_a_part_has_and_that_before_a_plan() -> None:
    own = Pages(k=1)
    assert leads(votes(task=own)) == {"choose": leads(votes())["choose"], "verdict": 1}
    assert leads(votes(task=own, k=4)) == {"choose": 4, "verdict": 1}
    assert leads(votes(task=own, k={"verdict": 2, "choose": 3})) == {"choose": 3, "verdict": 2}
    assert leads(votes(task=own, k={"choose": 3})) == {"choose": 3, "verdict": 1}
    assert leads(votes("openai:gpt-4.1-mini")) == {"choose": 3, "verdict": 3}


def test_each_part_may_have_a_model_of_its_own() -> None:
    found = votes({"choose": WEAK, "verdict": "sim:perfect"})
    assert (found.model, found.parts["choose"].model, found.parts["verdict"]) == (
        WEAK,
        None,
        PartSettings(k=1, model="sim:perfect"),
    )


def test_a_calibration_is_of_one_part(tmp_path: Path) -> None:
    file = tmp_path / "verdict.jsonl"
    named = f"{Pages.__module__}:{Pages.__qualname__}"
    request = request_of(
        task=named, options={}, part="verdict", total=100, steps=1, models=["openai:m"], max_tokens={"openai:m": 750}
    )
    with open_calibration(file, request) as calibration:
        calibration._write(result_of(model="openai:m", p=at(0.9), error=at(0.1), rho=None))
    found = leads(votes("openai:m", calibration={"verdict": file}))
    assert found["choose"] == 3
    assert found["verdict"] > 3
    with pytest.raises(UsageError, match=r"part verdict, not of .*part choose"):
        votes("openai:m", calibration={"choose": file})
    with pytest.raises(UsageError, match="say to which"):
        votes("openai:m", calibration=file)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"k": {"chose": 3}}, "k names 'chose', which is not a voted part"),
        ({"k": {"look": 3}}, "k names 'look'"),
        ({"model": {"choose": WEAK}}, "model has none for the part 'verdict'"),
        ({"model": {"choose": WEAK, "verdict": WEAK, "look": WEAK}}, "model names 'look'"),
        ({"calibration": {"look": "x"}}, "calibration names 'look'"),
        ({"k": {"choose": 3}, "task": Hanoi(3)}, "k names 'choose'.*it has no parts"),
        ({"model": {"microstep": WEAK}, "task": Hanoi(3)}, "model names 'microstep'"),
    ],
)
def test_what_is_said_of_no_part_is_told(said: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        votes(**said)


def test_a_task_without_parts_is_planned_as_ever() -> None:
    found = votes(task=Hanoi(5))
    assert (found.parts, found.estimates is not None) == ({}, True)
    assert found.voting.lead is not None
    assert found.voting.lead > 3
    assert votes(task=Hanoi(5), k=2).voting.k == 2


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (Said("tiny", {"choose": 0}), "k of 'choose' must be a whole number of at least 1"),
        (Said("tiny", {"choose": True}), "k of 'choose' must be a whole number"),
        (Said("tiny", {"choose": None}), "k of 'choose' must be a whole number"),  # type: ignore[dict-item]  # the mistake
        (Said({"choose": "tiny", "verdict": None}), "model of 'verdict' must be a text"),  # type: ignore[dict-item]  # the mistake
    ],
)
def test_what_is_said_of_a_part_is_looked_at(said: Said, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        planned_votes(described(Pages()), said, Voting(k=1), 0.99)
