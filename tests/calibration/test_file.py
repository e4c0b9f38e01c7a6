"""The file of a calibration: it keeps its form, goes on where it was, and is not taken for something else."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from maker_graph.calibration.file import open_calibration, read_calibration
from maker_graph.errors import UsageError
from tests.calibration.making import request_of, step_of


def test_what_was_added_is_there_after_half_a_line_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    with open_calibration(path, request_of(steps=2, total=2)) as calibration:
        first, second = calibration.missing("scripted")
        calibration.add(step_of(first, 0, 0))
        assert calibration.missing("scripted") == [second]
    with path.open("a") as file:  # what a machine that lost its power may leave
        file.write('{"model": "half a li')
    with pytest.raises(UsageError, match="is not finished"):
        read_calibration(path)
    with open_calibration(path, request_of(steps=2, total=2)) as calibration:
        assert calibration.missing("scripted") == [second]
        calibration.add(step_of(second, 0, 1))
        made = calibration.conclude("scripted", None)
        assert calibration.conclude("scripted", None) is made
    request, (result,) = read_calibration(path)
    assert (request, result) == (request_of(steps=2, total=2), made)
    assert path.read_text().count("\n") == 4
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_form_of_the_file_is_that_of_earlier_versions(tmp_path: Path) -> None:
    with open_calibration(tmp_path / "c.jsonl", request_of()):
        pass
    assert json.loads((tmp_path / "c.jsonl").read_text()) == {
        "calibration": 1, "task": "hanoi", "options": {"disks": 3}, "total": 7, "models": ["scripted"],
        "caps": {"scripted": 99}, "steps": 7, "samples": 3, "temperature": [0.0, 0.1], "check": True, "truth": True,
        "seed": None,
    }  # fmt: skip


def test_a_calibration_of_something_else_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    with open_calibration(path, request_of()):
        pass
    before = path.read_bytes()
    with (
        pytest.raises(UsageError, match="another max_tokens, samples"),
        open_calibration(path, request_of(samples=2, max_tokens={"scripted": 7})),
    ):
        pass
    assert path.read_bytes() == before


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_where_no_regular_file_can_be_no_calibration_begins(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "c.jsonl"
    make(path)
    with pytest.raises(UsageError, match="give the name of a regular file"), open_calibration(path, request_of()):
        pass


@pytest.mark.parametrize("text", ["", "hello\n", '{"a": 1}\n', '{"calibration": 1}\n'])
def test_what_is_no_calibration_is_refused_and_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"is no calibration"):
        read_calibration(path)
    if text:
        with pytest.raises(UsageError, match=r"is no calibration"), open_calibration(path, request_of()):
            pass
        assert path.read_text() == text
