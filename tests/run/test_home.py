"""A run at home somewhere has a name, and its task is imported by nobody who only looks."""

from pathlib import Path

import pytest

from maker_graph.errors import UnusableRun, UsageError
from maker_graph.run.directory import Directory
from maker_graph.run.home import Home, see_name, see_text
from tests.made import created, new_settings


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "-a", ".a", "a" * 65, "ä", "a\n"])
def test_a_name_is_short_and_of_plain_characters(name: str) -> None:
    with pytest.raises(UnusableRun, match="not a name for a run"):
        see_name(name)


def test_settings_that_are_no_text_are_refused() -> None:
    see_text("\u00e4")
    with pytest.raises(UsageError, match="is not text"):
        see_text("\udc80")


def test_a_directory_is_a_home(tmp_path: Path) -> None:
    home: Home = Directory(tmp_path / "a run")
    assert not home.is_there()
    with created(tmp_path / "a-run", new_settings("hanoi", {"disks": 2}, "sim:perfect", k=1)) as run:
        found = run.home
        assert isinstance(found, Directory)
        assert (found.name, found.folder, str(found)) == ("a-run", tmp_path / "a-run", str(tmp_path / "a-run"))
        assert found.settings() == run.settings
        assert found.is_there()
        assert found.kept() is None
        assert found.session() is None
        assert found.holds(tmp_path / "a-run" / "x")
        assert not found.holds(tmp_path / "x")
        assert found.keeps(tmp_path / "a-run" / "journal.db")
        assert not found.keeps(tmp_path / "a-run" / "labels.jsonl")
        with found.opened() as again:
            assert again.settings.id == run.settings.id
    assert home.command == f"'{tmp_path}/a run'"
