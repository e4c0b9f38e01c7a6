"""Each rung of a cascade is booked by itself: its steps, its samples and its share of the cost."""

import json
from pathlib import Path

import pytest

from maker_graph import AheadBy, Run, Rung, Voting
from tests.run.test_reopening import Rehearsed

SURE = "sim:perfect"
TORN = "sim:perfect,error=.4"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    cascade = [
        Rung(TORN, Voting(k=AheadBy(2, within=2), seed=1)),
        Rung(TORN, Voting(k=AheadBy(3, within=4), seed=1)),
        Rung(SURE, Voting(k=1, seed=1)),
    ]
    return Run.create(tmp_path / "run", Rehearsed(), cascade=cascade, fsync="normal")


def test_the_rungs_share_the_steps_and_all_samples_are_booked(run: Run) -> None:
    with run:
        result = run.solve()
        rungs = result["rungs"]
    assert [rung["by"] for rung in rungs] == ["base", "rung 2", "rung 3"]
    assert [rung["rule"] for rung in rungs] == ["ahead by 2 within 2 votes", "ahead by 3 within 4 votes", "ahead by 1"]
    assert rungs[0]["steps"] == result["steps"] == 40
    for rung, following in zip(rungs, [*(each["steps"] for each in rungs[1:]), 0], strict=True):
        assert (rung["steps"], rung["stuck"]) == (rung["decided"] + rung["passed"], 0)
        assert rung["passed"] == following
    assert min(rung["decided"] for rung in rungs) > 0
    assert sum(rung["samples"] for rung in rungs) == result["samples"]
    assert sum(rung["tokens"]["output"] for rung in rungs) == result["tokens"]["output"]
    assert sum(rung["decided"] for rung in rungs) == 40
    assert result["passed"] == 0


def test_each_rung_has_a_certificate_of_its_own(run: Run) -> None:
    pytest.importorskip("scipy")
    with run:
        run.solve()
        certificate = run.certify()
    assert certificate.steps == 40
    assert {"base", "rung 2", "rung 3"} == {*certificate.parts}
    assert sum(part.covered for part in certificate.parts.values()) == 40
    assert certificate.covered == 40 - certificate.parts["rung 3"].covered, "one vote is no evidence"


def test_the_settings_keep_the_cascade(run: Run) -> None:
    with run:
        kept = json.loads((run.directory / "settings.json").read_text())
        assert [rung["voting"]["k"] for rung in kept["cascade"]] == [3, 1]
        assert (kept["voting"]["within"], kept["ladder"]["temperature"]) == (2, None)
    with Run.open(run.directory, task=Rehearsed()) as again:
        assert [rung.model for rung in again.settings.cascade] == [TORN, SURE]
        assert again.settings.models == [TORN, SURE]
