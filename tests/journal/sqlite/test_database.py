"""A journal that cannot be written is looked at all the same, and a finished run is finished."""

import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from maker_graph.errors import DamagedRun, LimitReached
from maker_graph.journal.sqlite.database import make_database
from maker_graph.run.directory import opened
from maker_graph.run.summary import summary
from maker_graph.runs import Run
from maker_graph.tasks import Hanoi
from tests.disks import read_only
from tests.made import created
from tests.survival.harness import Children, events, settings_of, wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder that everybody can go into; the one of pytest is for its owner alone."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def content(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in directory.iterdir()}


def killed(children: Children, directory: Path) -> int:
    """Leave a run that was killed at work; return its last committed step."""
    with created(directory, settings_of()):
        pass
    child = children.start(directory)
    wait_until(lambda: sum(event.kind == "step" for event in events(directory)) > 5)
    child.kill()
    return max(event.step for event in events(directory) if event.kind == "step")


def test_a_finished_run_is_looked_at_and_resumed_on_a_disk_that_takes_no_writes(folder: Path) -> None:
    with Run.create(folder / "r", Hanoi(4), model="sim:perfect", k=2) as run:
        expected, certificate = run.solve(), run.certify()
    before = content(folder / "r")
    with read_only(folder / "r"), Run.open(folder / "r") as run:
        assert run.verify() == expected
        assert run.certify() == certificate
        assert run.solve() == expected
    assert content(folder / "r") == before


@pytest.mark.parametrize("kept", [("-wal", "-shm"), ("-wal",)])
def test_a_killed_run_is_looked_at_on_a_disk_that_takes_no_writes_but_not_gone_on_with(
    children: Children, folder: Path, kept: tuple[str, ...]
) -> None:
    step = killed(children, folder / "r")
    for ending in {"-wal", "-shm"} - set(kept):
        (folder / "r" / f"journal.db{ending}").unlink()
    before = content(folder / "r")
    with read_only(folder / "r"), Run.open(folder / "r") as run:
        assert run.verify()["steps"] >= step
        assert len(list(run.steps())) >= step
        with pytest.raises(LimitReached, match="cannot be written"):
            run.solve()
    assert content(folder / "r") == before
    with Run.open(folder / "r") as run:
        assert run.solve()["verified"]


def test_looking_needs_no_file_of_its_own(folder: Path) -> None:
    with created(folder / "r", settings_of(2)):
        pass
    with read_only(folder / "r"), opened(folder / "r") as run:
        assert (summary(run)["steps"], run.journal.writable) == (0, False)
        with pytest.raises(LimitReached, match="cannot be written"):
            run.journal.set_note("out", "x")


def test_a_database_is_for_its_owner_alone_and_made_once(tmp_path: Path) -> None:
    make_database(tmp_path / "journal.db").close()
    assert stat.S_IMODE((tmp_path / "journal.db").stat().st_mode) == 0o600
    with pytest.raises(DamagedRun, match="exists already"):
        make_database(tmp_path / "journal.db")
