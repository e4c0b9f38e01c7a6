"""`maker-graph status` and `verify`: the same object as a run prints, and what is damaged."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.cli.commands import result, stopped
from tests.conftest import Cli


def test_run_resume_status_and_verify_print_the_same_object(cli: Cli) -> None:
    first = cli("run", "hanoi", "--disks", "3", "--run", "r", "--json")
    others = [cli(command, "r", "--json") for command in ("resume", "status", "verify")]
    assert [done.returncode for done in others] == [0, 0, 0]
    assert {canonical_without_time(result(done)) for done in (first, *others)} == {canonical_without_time(result(first))}


def canonical_without_time(summary: dict[str, Any]) -> str:
    return json.dumps(summary | {"seconds": 0, "sessions": 0}, sort_keys=True)


def test_a_damaged_run_ends_with_6_and_names_the_step(cli: Cli, tmp_path: Path) -> None:
    cli("run", "hanoi", "--disks", "3", "--k", "3", "--run", "r")
    settings = tmp_path / "runs" / "r" / "settings.json"
    text = settings.read_text()
    settings.write_text(text.replace('"k": 3', '"k": 2'))
    assert text != settings.read_text()
    changed = cli("resume", "r")
    assert (changed.returncode, "k was 3 and is 2" in changed.stderr) == (6, True)
    settings.write_text(text[:20])
    assert cli("status", "r").returncode == 6
    settings.write_text(text)
    with closing(sqlite3.connect(tmp_path / "runs" / "r" / "journal.db")) as db:
        db.execute("UPDATE steps SET entry = replace(entry, '[1,0,2]', '[1,0,1]') WHERE step = 1")
        db.commit()
    for command in ("resume", "verify", "status"):
        done = cli(command, "r")
        assert done.returncode == 6
        assert "step 1" in done.stderr
        assert "Traceback" not in done.stderr


def test_damaged_settings_and_a_missing_journal_end_with_6(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    folder = tmp_path / "runs" / "r"
    (folder / "settings.json").write_bytes(b"\xff\xfe")
    assert cli("status", "r").returncode == 6
    for path in folder.glob("journal.db*"):
        path.unlink()
    (folder / "settings.json").write_text("{}")
    assert cli("status", "r").returncode == 6


def test_a_run_without_its_journal_is_damaged_and_nothing_is_paid_again(cli: Cli, tmp_path: Path) -> None:
    stopped(cli)
    for path in (tmp_path / "runs" / "r").glob("journal.db*"):
        path.unlink()
    for command in ("resume", "status", "verify"):
        done = cli(command, "r")
        assert (done.returncode, "journal.db is missing" in done.stderr) == (6, True)
