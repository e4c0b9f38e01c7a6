"""The pace of a run: bounded, kept over sessions, and true."""

import asyncio
import json
from pathlib import Path

from maker_graph.run.pace import MOST_POINTS, Pace, bucket_of
from maker_graph.run.solving import solve
from tests.made import created, new_settings


def test_a_run_of_years_keeps_some_hundred_points_from_its_start_to_its_end() -> None:
    pace = Pace()
    for step in range(200_000):
        pace.reached(step, 7.0 * step)
    assert MOST_POINTS / 2 <= len(pace.points) <= MOST_POINTS
    assert pace.points[0] == (0, 0.0)
    assert pace.points[-1][0] > 198_000
    assert Pace.of(pace.note()) == pace


def test_the_journal_knows_how_long_replies_took_and_each_sample_has_its_length(tmp_path: Path) -> None:
    settings = new_settings("hanoi", {"disks": 4}, "sim:gpt-oss-20b,latency=0.01", k=2)
    with created(tmp_path / "run", settings) as run:
        asyncio.run(solve(run))
        pace = json.loads(run.journal.note("pace") or "")
        decisions = list(run.journal.decisions())
    samples = sum(decision["samples"] for decision in decisions)
    assert sum(pace["latencies"].values()) == samples
    assert min(map(int, pace["latencies"])) >= bucket_of(0.002)
    assert pace["points"][0][0] == 1
    assert all(len(decision["lengths"]) == decision["samples"] for decision in decisions)
    assert all(sum(decision["lengths"]) == decision["usage"]["output"] for decision in decisions)
