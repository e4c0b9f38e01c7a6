"""How a fleet stands, in figures."""

from contextlib import closing
from pathlib import Path

import pytest

from maker_graph.errors import UnusableRun
from maker_graph.fleet.standing import SHOWN, standing_at, todo, why
from maker_graph.fleet.submitting import submit
from maker_graph.journal.postgres.fleets import Limits, Waiting
from tests.fleet.fleets import fleet_at, hanoi, journal_at, query, submitted, table


def test_a_fleet_is_told_in_figures(database: str, tmp_path: Path) -> None:
    submitted(database, table(tmp_path, 50), 3, Limits(100, 2.5, 600))
    fleet_at(database).beat("me", 60)
    with closing(journal_at(database, "rows-00001")) as journal:
        journal.claim("me")
    query(database, "UPDATE maker_graph.runs SET state = 'limit' WHERE name = 'rows-00000'")
    query(database, "UPDATE maker_graph.fleets SET shut_until = clock_timestamp() + interval '1 hour', shut_why = 'busy'")
    now = standing_at(database, "rows")
    assert (now.runs, now.steps, now.total, now.goes_on, now.done, now.living) == (3, 0, 50, 2, 0, ["me"])
    found = now.summary()
    assert found["states"] == {"at work": 1, "limit": 1, "open": 1}
    assert found["purse"] == {"calls": 0, "max_calls": 100, "cost_usd": 0.0, "max_cost_usd": 2.5}
    assert (found["rpm"], found["workers"], found["total"]) == (600, ["me"], 50)
    assert found["shut"] is not None
    assert found["shut"].endswith(": busy")
    assert found["waits"] == [{"run": "rows-00000", "state": "limit", "why": ""}]


def test_only_some_of_the_runs_that_wait_are_shown(database: str) -> None:
    submit(database, "towers", hanoi(range(SHOWN + 3)), Limits())
    query(database, "UPDATE maker_graph.runs SET state = 'stuck'")
    assert len(standing_at(database, "towers").waiting) == SHOWN


def test_a_journal_without_fleets_is_told(database: str) -> None:
    with pytest.raises(UnusableRun, match="There is no journal at"):
        standing_at(database, "rows")


def test_what_a_session_said_is_why_a_run_waits_and_what_cannot_be_read_says_nothing() -> None:
    said = '{"epoch": 1, "pid": 1, "state": "stuck", "question": {"step": 3, "reason": "Nobody won."}}'
    assert why(Waiting("r", "stuck", said)) == "Step 3: Nobody won."
    assert why(Waiting("r", "failed", '{"epoch": 1, "pid": 1, "state": "failed", "why": "It broke."}')) == "It broke."
    assert [why(Waiting("r", "stuck", text)) for text in (None, "", "{}", "[")] == [""] * 4
    assert {state: todo("rows", state).split()[0] for state in ("limit", "stuck", "waits", "failed")} == {
        "limit": "submit",
        "stuck": "answer",
        "waits": "answer",
        "failed": "mend",
    }
