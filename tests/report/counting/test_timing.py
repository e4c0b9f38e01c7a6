"""The pace of a run as its note tells it."""

import json

from maker_graph.report.counting.timing import timing_of
from maker_graph.run.pace import Pace


def test_what_a_run_noted_comes_back() -> None:
    pace = Pace()
    for step in range(1, 4):
        pace.reached(step, 2.0 * step)
        pace.heard(0.1)
    timing = timing_of(json.loads(pace.note()))
    assert timing.points == [(1, 2.0), (2, 4.0), (3, 6.0)]
    assert timing.latencies == dict(pace.latencies)


def test_an_empty_note_is_no_timing() -> None:
    assert timing_of({}).points == []
    assert timing_of({}).latencies == {}
