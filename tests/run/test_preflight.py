"""What cannot go well is told before a run is made: nothing is stored, and nothing is paid for."""

from pathlib import Path
from typing import Any

import pytest

from maker_graph import Run, UsageError
from maker_graph.run.cascades import CascadeFile, ExpectedRows, RungFile
from maker_graph.run.preflight import expected_of, see_alone
from maker_graph.tasks import Hanoi


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"out": "x.csv"}, "has no results to write"),
        ({"max_samples": 2}, "too few"),
        ({"lookahead": 4, "draft_model": "tiny"}, "has not learned to draft"),
        ({"escalate": "sim:nobody"}, "There is no simulated model"),
        ({"emit": "sim:nobody"}, "There is no simulated model"),
        ({"emit": "openai:unheard-of", "max_cost": 1.0}, "price|OPENAI_API_KEY"),
        ({"model": "tiny", "emit": True}, "leave emit out"),
        ({"model": "openai:unheard-of", "max_cost": 1.0}, "price|OPENAI_API_KEY"),
    ],
)
def test_nothing_is_made_of_a_run_that_cannot_go_well(tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Run.create(tmp_path / "run", Hanoi(3), **{"model": "sim:perfect", "k": 3, **settings})
    assert not (tmp_path / "run").exists()


def test_what_rungs_say_is_not_said_twice() -> None:
    see_alone(model=(None, None), k=("auto", "auto"))
    with pytest.raises(UsageError, match="leave out k, within"):
        see_alone(model=(None, None), k=(3, "auto"), within=(3, None))


def test_only_the_file_of_a_plan_says_what_is_expected() -> None:
    rung = RungFile(model="sim:perfect")
    assert expected_of(CascadeFile(rungs=[rung])) == expected_of([rung]) == expected_of(None) == {}
    planned = CascadeFile(rungs=[rung], expected=ExpectedRows(rows=10, open=2))
    assert expected_of(planned) == {"expected": '{"rows":10,"open":2}'}
