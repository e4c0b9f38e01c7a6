"""A run whose votes decide less, or more, than they did on the labelled rows says so."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from maker_graph import Run
from maker_graph.run.drift import Drift
from tests.run.test_reopening import Rehearsed


def decision(*, open_: bool, by: str = "base") -> Any:
    return {"status": "undecided" if open_ else "decided", "by": by, "ballot": {}}


def test_steps_like_the_rows_are_not_told_of() -> None:
    chance, told = Random(5), list[str]()
    for _ in range(20):
        drift = Drift(told.append, 300, 60)
        for _ in range(2_000):
            drift.see([decision(open_=chance.random() < 0.2)])
    assert told == []


@pytest.mark.parametrize("share", [0.45, 0.02])
def test_steps_unlike_the_rows_are_told_of_and_again_when_they_double(share: float) -> None:
    chance, told = Random(5), list[str]()
    drift = Drift(told.append, 300, 60)
    for _ in range(2_000):
        drift.see([decision(open_=chance.random() < share)])
    assert 2 <= len(told) <= 6
    assert "of the 300 labelled rows of the plan it was 20.0%" in told[0]
    assert "audit" in told[0]


def test_without_a_plan_by_labels_nothing_is_said_and_given_answers_do_not_count() -> None:
    told: list[str] = []
    Drift.of(None, told.append).see([decision(open_=True)] * 500)
    Drift(told.append, 300, 60).see([decision(open_=False, by="program")] * 500)
    assert told == []


def test_where_a_verifier_proves_steps_nothing_is_said_of_what_votes_decide() -> None:
    told: list[str] = []
    drift = Drift(told.append, 300, 150)
    for _ in range(2_000):
        drift.see([decision(open_=False) | {"proved": "it fits"}])
    assert told == []


def test_what_a_person_answered_was_decided_by_no_vote() -> None:
    told: list[str] = []
    Drift(told.append, 300, 60).see([decision(open_=False, by="person")] * 100)
    assert len(told) == 1


def test_a_run_with_the_file_of_a_plan_watches_what_it_decides(tmp_path: Path) -> None:
    rung = {"model": "sim:perfect,error=.5", "k": 3, "within": 3}
    file = tmp_path / "cascade.json"
    file.write_text(json.dumps({"rungs": [rung], "expected": {"rows": 1000, "open": 0}}))

    class Many(Rehearsed):
        items = tuple(f"word {number}" for number in range(120))

    told: list[str] = []
    with Run.create(tmp_path / "run", Many(), cascade=file, fsync="normal") as run:
        run.solve(warn=told.append)
    assert any("labelled rows of the plan" in text for text in told)
