"""A fleet is made as a whole or not at all, and submitting it again is submitting it once."""

from math import inf, nan
from pathlib import Path

import pytest

from maker_graph.errors import UnusableRun, UsageError
from maker_graph.fleet.submitting import MOST, Submission, Submitted, submit
from maker_graph.journal.postgres.fleets import Limits
from maker_graph.runs import Run
from maker_graph.tasks import Hanoi
from tests.fleet.fleets import fleet_at, hanoi, query, runs, states, submitted, table


def test_the_runs_of_a_fleet_are_slices_of_its_task_and_ordinary_runs(database: str, tmp_path: Path) -> None:
    made = submitted(database, table(tmp_path, 50), 3)
    assert made == Submitted(made=True, runs=3)
    steps = []
    for place in range(3):
        with Run.open(f"rows-0000{place}", journal=database) as run:
            figures = run.verify()
            assert run.settings.slice is not None
            steps.append((run.settings.slice.first, figures["total"]))
            assert (figures["steps"], figures["verdict"]) == (0, "unfinished")
    assert steps == [(0, 17), (17, 17), (34, 16)]
    assert query(database, "SELECT total FROM maker_graph.runs ORDER BY name") == [(17,), (17,), (16,)]


def test_submitting_twice_is_submitting_once(database: str, tmp_path: Path) -> None:
    path = table(tmp_path)
    submitted(database, path)
    before = query(database, "SELECT name, settings FROM maker_graph.runs ORDER BY name")
    assert submitted(database, path) == Submitted(made=False, runs=3)
    assert query(database, "SELECT name, settings FROM maker_graph.runs ORDER BY name") == before


def test_other_limits_are_taken_and_open_the_runs_that_had_stopped(database: str, tmp_path: Path) -> None:
    path = table(tmp_path)
    submitted(database, path, limits=Limits(max_calls=5))
    query(database, "UPDATE maker_graph.runs SET state = 'limit' WHERE name = 'rows-00000'")
    query(database, "UPDATE maker_graph.runs SET state = 'done' WHERE name = 'rows-00001'")
    assert submitted(database, path, limits=Limits(max_calls=5)).reopened == 0
    assert states(database) == ["limit", "done", "open"]
    made = submitted(database, path, limits=Limits(max_calls=50, rpm=600))
    assert made == Submitted(made=False, runs=3, limited=True, reopened=1)
    assert states(database) == ["open", "done", "open"]
    assert fleet_at(database).found().limits == Limits(50, None, 600)


def test_what_else_is_another_is_refused_and_named(database: str, tmp_path: Path) -> None:
    path = table(tmp_path)
    submitted(database, path)
    with pytest.raises(UnusableRun, match=r"The fleet rows was submitted with other settings \(voting\): give the same again"):
        submitted(database, path, k=3)
    with pytest.raises(UnusableRun, match=r"other settings \(3 runs, not 4\)"):
        submitted(database, path, 4)
    path.write_text(path.read_text().replace("C0001", "C0009"))
    with pytest.raises(UnusableRun, match=r"other settings \(inputs\)"):
        submitted(database, path)
    with pytest.raises(UnusableRun, match="other settings"):
        submit(database, "rows", hanoi([1, 2, 3]), Limits())


def test_a_fleet_is_made_as_a_whole_or_not_at_all(database: str, tmp_path: Path) -> None:
    with Run.create("rows-00002", Hanoi(disks=3), journal=database, model="sim:perfect", k=1):
        pass
    with pytest.raises(UnusableRun, match="There is a run rows-00002 already, which does not belong to this fleet"):
        submitted(database, table(tmp_path))
    assert query(database, "SELECT name FROM maker_graph.runs") == [("rows-00002",)]
    assert query(database, "SELECT name FROM maker_graph.fleets") == []


@pytest.mark.parametrize(
    "limits",
    [
        *[Limits(rpm=rpm) for rpm in (inf, nan, 0.0, -1.0, 1e308)],
        *[Limits(max_cost=cost) for cost in (inf, nan, -1.0)],
        *[Limits(max_calls=calls) for calls in (-1, 2**63)],
    ],
)
def test_a_limit_that_no_worker_could_keep_to_is_refused(database: str, tmp_path: Path, limits: Limits) -> None:
    path = table(tmp_path, 5)
    with pytest.raises(UsageError, match=r"--(rpm|max-cost|max-calls) must be .* Leave it out for no limit"):
        submitted(database, path, 1, limits)
    assert submitted(database, path, 1).made


def test_a_name_that_is_none_and_a_number_of_runs_that_is_none_are_refused(database: str, tmp_path: Path) -> None:
    for name in ("", "-rows", "rows/1", "r" * 59, "rows\n"):
        with pytest.raises(UsageError, match="is not a name for a fleet"):
            submit(database, name, hanoi([1]), Limits())
    with pytest.raises(UsageError, match=f"A fleet has 1 to {MOST:,} runs, not 0"):
        submit(database, "rows", [], Limits())
    assert runs(table(tmp_path), 2)[0][1].settings.slice is not None


def test_what_a_newer_version_has_submitted_is_told() -> None:
    with pytest.raises(UnusableRun, match="submitted by a newer maker_graph"):
        Submission.read('{"form": 2, "runs": 1, "digest": ""}')
