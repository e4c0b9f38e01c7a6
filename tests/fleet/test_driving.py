"""What becomes of a run of a fleet that a worker goes on with."""

import asyncio
from pathlib import Path

import pytest

from maker_graph.core.machine import Committed
from maker_graph.errors import OutOfReach, ProviderFailure, UnusableRun, UsageError
from maker_graph.fleet.driving import Driving, Told, drive
from maker_graph.fleet.standing import standing_at, why
from maker_graph.fleet.submitting import NewRun, submit
from maker_graph.journal.postgres.fleets import Limits
from maker_graph.runs import Run
from tests.fleet.fleets import hanoi, journal_at, query, states, submitted, table


def driven(address: str, name: str, told: Told | None = None) -> list[str]:
    """Go on with a run as a worker does; return what it warned of."""
    warned: list[str] = []
    asyncio.run(drive(name, Driving(address, name[:-6]), told or Told(warn=warned.append)))
    return warned


def test_a_run_is_driven_to_its_end_and_again_is_nothing(database: str, tmp_path: Path) -> None:
    submitted(database, table(tmp_path, 9), 2)
    decided: list[tuple[str, int]] = []

    def tell(run: str, step: Committed) -> None:
        decided.append((run, step.after["step"]))

    assert driven(database, "rows-00001", Told(decided=tell)) == []
    assert decided == [("rows-00001", step) for step in range(1, 5)]
    assert states(database) == ["open", "done"]
    assert driven(database, "rows-00001") == []
    assert states(database) == ["open", "done"]


def test_a_run_that_needs_a_person_or_a_limit_waits_and_says_why(database: str) -> None:
    stuck, limited = hanoi([1], model="sim:perfect,flagged=1")[0], hanoi([1], max_calls=3)[0]
    submit(database, "towers", [stuck, limited], Limits())
    assert "undecided after" in driven(database, "towers-00000")[-1]
    assert "max_calls" in driven(database, "towers-00001")[-1].replace("--max-calls", "max_calls")
    assert states(database) == ["stuck", "limit"]
    waiting = standing_at(database, "towers").waiting
    assert [each.name for each in waiting] == ["towers-00000", "towers-00001"]
    assert all(why(each) for each in waiting)


def test_a_run_that_another_one_takes_is_let_go(database: str) -> None:
    submit(database, "towers", hanoi([1], disks=4), Limits())

    def taken(run: str, step: Committed) -> None:
        if step.after["step"] == 5:
            other = journal_at(database, run)
            other.claim("another")
            other.close()

    assert driven(database, "towers-00000", Told(decided=taken)) == []
    (state, step, epoch), *_ = query(database, "SELECT state, step, epoch FROM maker_graph.runs")
    assert (state, epoch) == ("at work", 2), "the other one is at work"
    assert step < 15


def test_what_this_machine_lacks_ends_the_worker_and_leaves_the_run_to_others(database: str, tmp_path: Path) -> None:
    path = table(tmp_path, 9)
    submitted(database, path, 2)
    path.unlink()
    with pytest.raises(UsageError, match=r"rows\.csv"):
        driven(database, "rows-00000")
    assert states(database) == ["open", "open"]


def test_a_run_that_was_deleted_does_not_end_the_worker(database: str) -> None:
    submit(database, "towers", hanoi([1, 2], disks=4), Limits())

    def gone(_: str, step: Committed) -> None:
        if step.after["step"] == 5:
            query(database, "DELETE FROM maker_graph.runs WHERE name = 'towers-00000'")

    asyncio.run(drive("towers-00000", Driving(database, "towers"), Told(decided=gone)))
    assert ["There is no run towers-00000" in text for text in driven(database, "towers-00000")] == [True]


def test_code_that_the_journal_names_is_not_run_unless_it_is_trusted(database: str) -> None:
    run = hanoi([1])[0]
    foreign = NewRun(run.settings.model_copy(update={"task": "os:getcwd"}), run.options, None, {}, None)
    submit(database, "towers", [foreign], Limits())
    with pytest.raises(UnusableRun, match="which is code that its journal names"):
        driven(database, "towers-00000")


def test_a_run_whose_journal_is_damaged_fails_and_the_others_go_on(database: str) -> None:
    submit(database, "towers", hanoi([1, 2]), Limits())
    asyncio.run(drive("towers-00000", Driving(database, "towers")))
    query(database, "UPDATE maker_graph.runs SET state = 'interrupted', lease = 0 WHERE name = 'towers-00000'")
    query(database, "UPDATE maker_graph.steps SET entry = replace(entry, '1', '2') WHERE step = 3")
    assert "damaged" in driven(database, "towers-00000")[-1]
    assert driven(database, "towers-00001") == []
    assert states(database) == ["failed", "done"]
    assert "damaged" in why(standing_at(database, "towers").waiting[0])


def test_a_provider_that_fails_this_worker_ends_it_and_leaves_the_run_to_others(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    submit(database, "towers", hanoi([1], model="openai:gpt-4.1-mini"), Limits())
    with pytest.raises(ProviderFailure):
        asyncio.run(drive("towers-00000", Driving(database, "towers", patience=0.1, timeout=1.0)))
    assert states(database) == ["provider"]


def test_a_database_that_is_away_costs_the_run_nothing() -> None:
    warned: list[str] = []
    how = Driving("postgresql://postgres@127.0.0.1:9/none", "rows")
    asyncio.run(drive("rows-00000", how, Told(warn=warned.append)))
    assert "cannot be reached" in warned[0]
    with pytest.raises(OutOfReach), Run.open("rows-00000", journal=how.address):
        pass
