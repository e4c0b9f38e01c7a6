"""The top of the page: one sentence that is true, and eight figures."""

from dataclasses import replace
from pathlib import Path

import pytest

from maker_graph.report.collecting import ReportData, collect
from maker_graph.report.sections.top import SIMULATED, header, headline, tiles
from tests.made import new_settings
from tests.report.making import by_hand, data_of, moves


def test_an_unfinished_run_is_no_result(tmp_path: Path) -> None:
    settings = new_settings("hanoi", {"disks": 5}, "sim:perfect", k=1)
    with by_hand(tmp_path / "made", settings, moves(5, 10)) as run:
        found = collect(run)
    assert headline(found) == "10 of 31 dependent steps: not done yet"
    assert (found.verified, found.no_error) == (None, False)


def ended(data: ReportData, **changes: object) -> ReportData:
    return replace(data, done=True, **changes)  # type: ignore[arg-type]  # whatever is tried


def test_only_a_verified_run_without_a_wrong_step_has_no_error(hanoi: Path) -> None:
    data = data_of(hanoi)
    steps = "63 dependent steps"
    assert headline(data) == f"{steps}, no error: verified"
    other = data.settings.model_copy(update={"task": "own"})
    unknown = replace(data.truth, known=False, steps=0)
    assert headline(ended(data, settings=other, truth=unknown)) == f"{steps}, every answer within the task's rules: verified"
    assert headline(ended(data, verified=None)) == f"{steps}: done, not verified here"
    assert headline(ended(data, verified=False)) == f"{steps}: not verified"
    left = replace(data.endings, left=2)
    assert headline(ended(data, verified=False, endings=left)) == f"{steps}, 2 of them decided by no vote"


def test_a_simulated_run_says_that_it_is_no_evidence(hanoi: Path) -> None:
    assert SIMULATED in header(data_of(hanoi))


@pytest.mark.parametrize(
    ("model", "cost", "says"),
    [
        ("sim:perfect", 0.0, "$0<small>simulated"),
        ("openai:gpt-4.1-mini", 1.5, "$1.50<small>at the prices known"),
        ("openai:gpt-4.1-mini", 0.0, "not known<small>no price for this model"),
        ("tiny", 0.0, "$0<small>for tiny, which runs on this machine"),
    ],
)
def test_what_was_spent_is_told_and_never_made_up(tmp_path: Path, model: str, cost: float, says: str) -> None:
    with by_hand(tmp_path / "made", new_settings("hanoi", {"disks": 3}, model, k=1), moves(3, 2)) as run:
        data = collect(run)
    assert says in tiles(replace(data, spent=data.spent._replace(cost=cost)))
