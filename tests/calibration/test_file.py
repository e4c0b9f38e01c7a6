"""The file of a calibration: it keeps its form, goes on where it was, and is not taken for something else."""

import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from maker_graph.calibration.file import open_calibration, read_calibration
from maker_graph.core.spending import Reserved, Spent
from maker_graph.errors import DamagedRun, LimitReached, UsageError
from tests.calibration.making import request_of, step_of
from tests.disks import full_disk, read_only


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
    assert path.read_text().count("\n") == 6, "the account before each step"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_first_line_has_the_names_of_earlier_versions(tmp_path: Path) -> None:
    with open_calibration(tmp_path / "c.jsonl", request_of()):
        pass
    assert json.loads((tmp_path / "c.jsonl").read_text()) == {
        "calibration": 2, "task": "hanoi", "options": {"disks": 3}, "inputs": {}, "total": 7, "models": ["scripted"],
        "caps": {"scripted": 99}, "steps": 7, "samples": 3, "temperature": [0.0, 0.1], "check": True, "truth": True,
        "seed": None, "part": "", "among": [],
    }  # fmt: skip


def test_a_file_of_before_had_the_digest_of_records_among_its_options(tmp_path: Path) -> None:
    now = request_of(task="records", options={"input": "/r.csv"}, inputs={"input": "d"})
    first = {**now.model_dump(mode="json", by_alias=True), "options": {"input": "/r.csv", "digest": "d"}, "calibration": 1}
    (tmp_path / "c.jsonl").write_text(json.dumps({name: each for name, each in first.items() if name != "inputs"}) + "\n")
    with open_calibration(tmp_path / "c.jsonl", now) as calibration:
        assert calibration.request.inputs == {"input": "d"}
    with (
        pytest.raises(UsageError, match="with other values of inputs"),
        open_calibration(tmp_path / "c.jsonl", now.model_copy(update={"inputs": {"input": "e"}})),
    ):
        pass


def test_a_calibration_of_something_else_is_not_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    with open_calibration(path, request_of()):
        pass
    before = path.read_bytes()
    with (
        pytest.raises(UsageError, match="other values of max_tokens, samples"),
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
    with pytest.raises(UsageError, match=r"is not a calibration"):
        read_calibration(path)
    if text:
        with pytest.raises(UsageError, match=r"is not a calibration"), open_calibration(path, request_of()):
            pass
        assert path.read_text() == text


# -------------------------------------------------------------------------------------------------------- owner and account


def test_one_process_at_a_time_owns_a_file_and_reading_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    with open_calibration(path, request_of(steps=1)) as calibration:
        calibration.add(step_of(calibration.missing("scripted")[0], 0, 1))
        calibration.conclude("scripted", None)
        with pytest.raises(UsageError, match="Another process calibrates into"), open_calibration(path, request_of(steps=1)):
            pass
        assert read_calibration(path)[1][0].steps == 1
    with open_calibration(path, request_of(steps=1)) as calibration:
        assert calibration.missing("scripted") == []


def test_what_was_spent_and_what_a_killed_call_may_have_spent_are_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    with open_calibration(path, request_of()) as calibration:
        calibration.spend(Spent(0.5, calls=3, unpriced=1), Reserved(0.25, 2))
        calibration.add(step_of(calibration.missing("scripted")[0], 0), Spent(1.0, calls=1), Reserved(0.75, 4))
    for _ in range(2):  # it is counted once
        with open_calibration(path, request_of()) as calibration:
            account = calibration.account()
            assert account.spent == Spent(1.5, calls=4, unpriced=1)
            assert (account.reserved, account.unsettled) == (Reserved(), Reserved(0.75, 4))


def test_a_file_of_an_earlier_form_is_gone_on_with_and_its_steps_are_its_account(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    first = request_of().model_copy(update={"calibration": 1})
    path.write_text("".join(line.model_dump_json(by_alias=True) + "\n" for line in (first, step_of(0, 0, 1), step_of(1, 0, 0))))
    with open_calibration(path, request_of()) as calibration:
        assert calibration.account().spent == Spent(0.02, calls=4, samples=4, input=6, output=20)
        calibration.spend(Spent(1.0, calls=1), Reserved())
    with open_calibration(path, request_of()) as calibration:
        assert (calibration.account().spent.calls, len(calibration.missing("scripted"))) == (5, 5)


def test_a_file_of_a_newer_form_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"calibration": 3, "whatever": 1}\n{"new": 1}\n')
    with pytest.raises(UsageError, match=r"newer maker_graph \(form 3\): install that version"):
        read_calibration(tmp_path / "c.jsonl")


def deleted(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").replace(path)


def written_to(path: Path) -> None:
    with path.open("a") as file:
        file.write("{}\n")


def cut(path: Path) -> None:
    os.truncate(path, 10)


@pytest.mark.parametrize("happens", [deleted, replaced, written_to, cut])
def test_nothing_more_is_paid_for_once_the_file_is_another(tmp_path: Path, happens: Callable[[Path], None]) -> None:
    path = tmp_path / "c.jsonl"
    with open_calibration(path, request_of()) as calibration:
        calibration.owned()
        happens(path)
        left = path.read_bytes() if path.exists() else None
        for call in (calibration.owned, lambda: calibration.spend(Spent(), Reserved())):
            with pytest.raises(DamagedRun, match="while the calibration was at work, which stops before its next call"):
                call()
    assert (path.read_bytes() if path.exists() else None) == left


def test_on_a_full_disk_no_half_a_line_stays(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    with open_calibration(path, request_of()) as calibration:
        before = path.read_bytes()
        with full_disk(len(before) + 20), pytest.raises(LimitReached, match="make room and call it again"):
            calibration.spend(Spent(calls=1), Reserved())
        assert path.read_bytes() == before
        calibration.spend(Spent(calls=1), Reserved())
    with open_calibration(path, request_of()) as calibration:
        assert calibration.account().spent.calls == 1


def test_a_call_that_was_killed_in_its_first_moment_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"calibration":2,"task":"ha')
    with open_calibration(tmp_path / "c.jsonl", request_of()) as calibration:
        assert len(calibration.missing("scripted")) == 7


def test_a_finished_file_can_be_opened_where_it_can_only_be_read() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "c.jsonl"
        with open_calibration(path, request_of(steps=1)) as calibration:
            calibration.add(step_of(calibration.missing("scripted")[0], 0, 1))
        with (
            read_only(folder),
            pytest.raises(UsageError, match="is not finished: give access"),
            open_calibration(path, request_of(steps=1)),
        ):
            pass
        with open_calibration(path, request_of(steps=1)) as calibration:
            made = calibration.conclude("scripted", None)
        with read_only(folder), open_calibration(path, request_of(steps=1)) as calibration:
            assert calibration.conclude("scripted", None) == made
            with pytest.raises(LimitReached, match="can only be read"):
                calibration.spend(Spent(), Reserved())
