"""Each rung of a cascade is booked by itself: its steps, its samples and its share of the cost."""

import json
from pathlib import Path

import pytest

from maker_graph import AheadBy, LimitReached, Run, Rung, UsageError, Voting
from tests.run.test_asking import Leading
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


def test_a_rung_of_a_part_is_certified_by_its_own_rule(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    cascade = [
        Rung("sim:perfect,error=.5", Voting(k=AheadBy(2, within=2), seed=1)),
        Rung(SURE, Voting(k=1, seed=1)),
    ]
    with Run.create(tmp_path / "run", Leading(), cascade=cascade, fsync="normal") as run:
        run.solve()
        parts = run.certify().parts
    assert {name: part.k for name, part in parts.items()} == {name: 2 if name.endswith("base") else 1 for name in parts}
    assert any(name.endswith("rung 2") for name in parts)
    assert sum(part.covered for part in parts.values()) == 3


def test_the_settings_keep_the_cascade(run: Run) -> None:
    with run:
        kept = json.loads((run.directory / "settings.json").read_text())
        assert [rung["voting"]["k"] for rung in kept["cascade"]] == [3, 1]
        assert (kept["voting"]["within"], kept["ladder"]["temperature"]) == (2, None)
    with Run.open(run.directory, task=Rehearsed()) as again:
        assert [rung.model for rung in again.settings.cascade] == [TORN, SURE]
        assert again.settings.models == [TORN, SURE]


def test_each_rung_is_booked_at_a_price_of_its_own_and_a_limit_on_the_cost_counts_them_all(tmp_path: Path) -> None:
    cascade = [Rung(TORN, Voting(k=AheadBy(2, within=2), seed=1)), Rung(SURE, Voting(k=2, seed=1))]
    prices = f"{TORN}=1,1; {SURE}=1000,1000"
    with Run.create(tmp_path / "run", Rehearsed(), cascade=cascade, price=prices, fsync="normal") as run:
        with pytest.raises(LimitReached):
            run.solve(max_cost=4.0)
        assert 0 < run.verify()["cost_usd"] <= 4.0  # type: ignore[operator]  # the prices are known
        result = run.solve(max_cost=10_000.0)
        cheap, dear = result["rungs"]
        for rung, price in ((cheap, 1e-6), (dear, 1e-3)):
            used = rung["tokens"]
            assert rung["cost_usd"] == pytest.approx(price * (used["input"] + used["output"]), rel=0.01)
        assert result["cost_usd"] >= cheap["cost_usd"] + dear["cost_usd"]  # type: ignore[operator]
    with pytest.raises(UsageError, match="which this run does not ask"):
        Run.create(tmp_path / "other", Rehearsed(), cascade=cascade, price="1,1; sim:haiku-4.5=1,1")


def test_who_sets_a_limit_on_the_cost_is_told_how_to_price_a_rung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    cascade = [Rung("openai:one", Voting(k=2)), Rung("openai:other", Voting(k=2))]
    with pytest.raises(UsageError, match="give --price 'openai:other=IN,OUT'"):
        Run.create(tmp_path / "run", Rehearsed(), cascade=cascade, price="1,1", max_cost=1.0)
    prices = "1,1; openai:other=2,2"
    Run.create(tmp_path / "run", Rehearsed(), cascade=cascade, price=prices, max_cost=1.0).close()
