"""The runs of a fleet in a database are the shards that are sealed."""

import asyncio
from pathlib import Path

import pytest

from maker_graph.errors import UnusableRun
from maker_graph.fleet.driving import Driving, drive
from maker_graph.fleet.sealing import seal
from maker_graph.fleet.shards import shards_in
from maker_graph.runs import Run
from maker_graph.tasks.loading import load_task
from tests.fleet.fleets import MODEL, submitted, table


def test_a_fleet_is_sealed_into_the_results_of_one_run(database: str, tmp_path: Path) -> None:
    path = table(tmp_path, 40)
    submitted(database, path, 3)
    with pytest.raises(UnusableRun, match=r"3 of 3 shards are not finished: rows-00000 \(0 of 14 items\)"):
        seal(shards_in(database, "rows"), tmp_path / "sealed", report=False)
    for place in range(3):
        asyncio.run(drive(f"rows-0000{place}", Driving(database, "rows")))
    found = seal(shards_in(database, "rows"), tmp_path / "sealed", out=tmp_path / "all.csv", report=False)
    loaded = load_task("records", {"input": str(path)})
    with Run.create(tmp_path / "one", loaded, model=MODEL, k=2, seed=1, out=tmp_path / "one.csv") as run:
        one = run.solve()
    assert (found.summary["steps"], found.summary["digest"]) == (40, one["digest"])
    assert (tmp_path / "all.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()


def test_a_fleet_that_is_not_there_is_told(database: str, tmp_path: Path) -> None:
    submitted(database, table(tmp_path), 2)
    with pytest.raises(UnusableRun, match="There is no fleet others"):
        shards_in(database, "others")
