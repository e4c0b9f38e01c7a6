"""What was recorded of a run is drawn, and nothing else."""

from dataclasses import replace
from pathlib import Path

from maker_graph.report.counting.truth import Lengths
from maker_graph.report.figures.run import run_figures
from tests.report.making import data_of


def test_what_was_not_recorded_is_not_drawn(hanoi: Path) -> None:
    found = data_of(hanoi)
    assert set(run_figures(replace(found, lengths=Lengths(25, {4: 2}, {}, {4: 2}, {})))) == {
        "undecided-by-samples", "undecided-by-votes", "flags-by-kind", "flags-by-step", "samples", "samples-by-step",
        "lengths", "errors-by-length", "latencies", "throughput",
        *(f"contest-{number}" for number in range(1, len(found.contests) + 1)),
    }  # fmt: skip
    bare = replace(found, contests=[], flags={}, lengths=None, timing=None)
    assert set(run_figures(bare)) == {"undecided-by-samples", "undecided-by-votes", "samples", "samples-by-step"}
    assert run_figures(replace(found, steps=0)) == {}
