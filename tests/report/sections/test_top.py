"""The top of the page: one sentence that is true, and eight figures."""

from dataclasses import replace
from pathlib import Path
from typing import Any

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
    assert 'aria-valuenow="32.3"' in header(found)
    assert "progressbar" not in header(replace(found, total=None))
    assert found.verdict == "unfinished"
    assert headline(replace(found, verdict="contradicted")) == "10 of 31 dependent steps: not done yet, contradicted"


def ended(data: ReportData, **changes: object) -> ReportData:
    return replace(data, done=True, **changes)  # type: ignore[arg-type]  # whatever is tried


@pytest.mark.parametrize(
    ("verdict", "says", "style"),
    [
        ("proved", "63 dependent steps, no error: proved", "good"),
        ("right", "63 dependent steps, no error: right", "good"),
        ("consistent", "63 dependent steps, nothing contradicts them: consistent", "wait"),
        ("contradicted", "63 dependent steps: contradicted", "bad"),
        ("open", "63 dependent steps: 2 of 63 steps are left open", "wait"),
        (None, "63 dependent steps: done, not replayed here", ""),
    ],
)
def test_only_a_run_that_is_known_to_be_right_has_no_error(hanoi: Path, verdict: Any, says: str, style: str) -> None:
    data = ended(data_of(hanoi), verdict=verdict, because="2 of 63 steps are left open")
    assert headline(data) == says
    assert (f'<li class="{style}">{verdict}</li>' in header(data)) == bool(style)


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
