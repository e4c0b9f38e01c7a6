"""Provenance: from a row of the results back to its ballot, for any items task, on all rungs."""

import json
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Items, Run
from maker_graph.errors import UsageError
from maker_graph.simulation import Replies
from maker_graph.tasks import Hanoi


class Letters(Items):
    """Letters to capitals: the program knows `a`, and nobody can read `?`."""

    items: Any = ("a", "b", "?")

    def given(self, item: str) -> str | None:
        return "A" if item == "a" else None

    def prompt(self, item: str) -> str:
        return f"In capitals: {item}"

    def check(self, item: str, answer: str) -> bool:  # noqa: ARG002  the contract's
        return answer.isupper()

    def rehearse(self, item: str) -> Replies:
        return Replies(item.upper(), ["V", "W", "X", "Y", "Z"])


def told(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_item_is_told_with_its_ballot_samples_and_cost(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    with Run.create(
        tmp_path / "r", Letters(), model="sim:perfect", k=2, stuck_after=2, price="1,2", seed=7, provenance=path
    ) as run:
        run.solve()
        ids = run.settings.id
        steps = list(run.steps())
    by_program, voted, left = told(path)
    assert (by_program["by"], by_program["votes"], by_program["samples"], by_program["cost_usd"]) == ("program", [], 0, 0)
    assert (voted["run"], voted["number"], voted["status"], voted["by"], voted["seed"]) == (ids, 2, "decided", "vote", 7)
    (vote,) = voted["votes"]
    assert (vote["rung"], vote["model"], vote["ballot"], vote["sequence"]) == (1, "sim:perfect", {'"B"': 2}, [0, 0])
    tokens = steps[1].decision["usage"]
    assert voted["cost_usd"] == pytest.approx((tokens["input"] + 2 * tokens["output"]) / 1e6, rel=0.01)
    assert (left["status"], left["by"]) == ("open", None)
    assert [each["rung"] for each in left["votes"]] == [1, "temperature"]
    assert left["samples"] == steps[2].samples == sum(each["samples"] for each in left["votes"])
    assert left["votes"][0]["flags"] == {"invalid": 2}


def test_a_cascade_tells_of_each_rung_with_its_model(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    rungs = [{"model": "sim:perfect,error=.9,favourite=0", "k": 3, "within": 3}, {"model": "sim:perfect", "k": 2}]
    file.write_text(json.dumps({"rungs": rungs}))
    with Run.create(tmp_path / "r", Letters(), cascade=file, provenance=tmp_path / "p.jsonl") as run:
        run.solve()
    last = told(tmp_path / "p.jsonl")[2]
    assert [(each["rung"], each["model"]) for each in last["votes"]][:2] == [
        (1, "sim:perfect,error=.9,favourite=0"),
        (2, "sim:perfect"),
    ]
    assert last["cost_usd"] is None, "a simulated model has no price"


def test_it_can_be_asked_for_later_and_goes_with_the_results(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Letters(), model="sim:perfect", k=1, stuck_after=1, out=tmp_path / "o.jsonl") as run:
        run.solve()
        run.solve(provenance=tmp_path / "p.jsonl")
        assert [line["number"] for line in told(tmp_path / "p.jsonl")] == [1, 2, 3]
        (tmp_path / "p.jsonl").write_text("mine")
        with pytest.raises(UsageError, match=r"p.jsonl was changed since this run wrote it"):
            run.solve()


def test_a_task_without_items_has_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"leave out `provenance` .--provenance."):
        Run.create(tmp_path / "r", Hanoi(disks=3), model="sim:perfect", k=1, provenance=tmp_path / "p.jsonl")
