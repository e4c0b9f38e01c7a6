"""What a report shows of a run: its counts are those of a replay, and a run that is not whole says so."""

import json
from pathlib import Path

import pytest

from maker_graph.errors import DamagedRun
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.report.collecting import collect
from maker_graph.run import directory as runs
from maker_graph.run import summary as summaries
from tests.made import created, new_settings
from tests.report.making import by_hand, data_of, moves, rows


def test_counts_are_those_of_a_replay(hanoi: Path) -> None:
    with runs.opened(hanoi) as run:
        summary, found = summaries.summary(run), collect(run)
    assert (found.samples, found.votes, found.outvoted, found.rounds) == (
        summary["samples"],
        summary["votes"],
        summary["outvoted"],
        summary["rounds"],
    )
    assert found.outvoted > 0
    assert found.flags == summary["flags"] != {}
    assert found.single_differs == summary["single_differs"] > 0
    assert found.first_sample_wrong_at == summary["first_sample_wrong_at"]
    assert (found.verdict, found.because, found.done) == (summary["verdict"], summary["because"], True)
    assert sum(found.bins.samples) == found.samples
    assert sum(found.bins.steps) == found.steps


def test_notes_of_the_journal_are_shown_and_what_was_not_noted_is_not(hanoi: Path, tmp_path: Path) -> None:
    found = data_of(hanoi)
    assert found.timing is not None
    assert found.plan is not None
    assert (found.timing.latencies, found.plan["samples"]) == ({40: 9, 60: 3}, 260.4)
    with by_hand(tmp_path / "made", new_settings("hanoi", {"disks": 3}, "sim:perfect", k=1), moves(3, 2)) as run:
        without = collect(run)
    assert (without.timing, without.plan, without.certificate) == (None, None, None)


def test_a_simulated_run_has_a_list_price_and_a_real_one_has_none(tmp_path: Path) -> None:
    for model, simulated in (("sim:gpt-4.1-mini", True), ("openai:gpt-4.1-mini", False)):
        folder = tmp_path / model.partition(":")[0]
        with created(folder, new_settings("hanoi", {"disks": 3}, model, k=1)) as run:
            run.journal.claim()
            run.journal.spend(run.journal.account().spent._replace(input=1_000_000, output=1_000_000))
            assert collect(run).list_price == (pytest.approx(2.0) if simulated else None)


def test_only_a_task_whose_steps_need_each_other_is_dependent(tmp_path: Path) -> None:
    with created(tmp_path / "made", rows(tmp_path, "sim:perfect")) as run:
        assert not collect(run).dependent
    with created(tmp_path / "hanoi", new_settings("hanoi", {"disks": 3}, "sim:perfect")) as run:
        assert collect(run).dependent


def test_a_damaged_entry_is_told_with_its_step(tmp_path: Path) -> None:
    with by_hand(tmp_path / "made", new_settings("hanoi", {"disks": 4}, "sim:perfect", k=1), moves(4, 3)) as run:
        assert isinstance(run.journal, SqliteJournal)
        run.journal._db.execute("UPDATE steps SET entry = '[]' WHERE step = 2")
        with pytest.raises(DamagedRun, match="step 2") as raised:
            collect(run)
    assert raised.value.step == 2
    assert json.dumps(str(raised.value))
