"""A file of labels: nothing of the user's is lost, no label is lost, and half a line is not a label."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from maker_graph.errors import LimitReached, UsageError
from maker_graph.run.label_lines import Label, LabelHeader
from maker_graph.run.labels import opened_labels, read_labels, reading_labels
from tests.disks import full_disk

HEADER = LabelHeader(task="records", options={"input": "rows.csv"}, population=50, seed=7)


def label(step: int, who: str = "anna", answer: str = "A") -> Label:
    return Label(step, who, "2026-11-26T09:00:00Z", answer, json.dumps(answer))


def begun(path: Path, *steps: int) -> Path:
    with opened_labels(path, HEADER) as file:
        for step in steps:
            file.add(label(step))
    return path


def test_labels_are_kept_and_the_newest_of_a_step_holds(tmp_path: Path) -> None:
    path = begun(tmp_path / "l.jsonl", 3, 9)
    with opened_labels(path, HEADER) as file:
        file.add(label(3, answer="B"), Label(4, "bo", "now"))
        assert file.labels[3].answer == "B"
    header, labels = read_labels(path, "certify")
    assert header == HEADER
    assert {step: each.candidate for step, each in labels.items()} == {3: '"B"', 9: '"A"', 4: None}
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text().splitlines()) == 5


def test_a_file_that_has_begun_goes_on_with_its_own_seed(tmp_path: Path) -> None:
    path, other = begun(tmp_path / "l.jsonl", 1), HEADER.model_copy(update={"seed": 8})
    with opened_labels(path, other, any_seed=True) as file:
        assert file.header.seed == 7
    with pytest.raises(UsageError, match="drawn with seed 7, not 8"), opened_labels(path, other):
        pass


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"task": "hanoi"}, "of records, not of hanoi"),
        ({"use": "example"}, "whose use is 'certify', not 'example'"),
        ({"run": "abc"}, "of the task itself, and not of this run"),
        ({"population": 60}, "drawn from 50 steps, and now there are 60"),
        ({"digest": "0"}, "when other answers were decided"),
        ({"options": {}}, "of a task with other options"),
        ({"inputs": {"input": "1"}}, "of a task with other inputs"),
    ],
)
def test_labels_of_something_else_are_refused_and_left_alone(tmp_path: Path, change: dict[str, object], says: str) -> None:
    path = begun(tmp_path / "l.jsonl", 1)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=says), opened_labels(path, HEADER.model_copy(update=change)):
        pass
    assert path.read_bytes() == before


@pytest.mark.parametrize("use", ["choose", "example"])
def test_labels_to_choose_by_and_examples_never_certify(tmp_path: Path, use: str) -> None:
    path = tmp_path / "l.jsonl"
    with opened_labels(path, HEADER.model_copy(update={"use": use})) as file:
        file.add(label(1))
    assert read_labels(path, "choose", "example")[1]
    with pytest.raises(UsageError, match=f"use '{use}'.*prove nothing here"):
        read_labels(path, "certify")


@pytest.mark.parametrize(
    "content",
    [
        b"mine\n",
        b"mine",
        b"{}\n",
        b"[1]\n",
        b'{"label": 1}\n',
        b"\n\n",
        b"1",
        b'{"a": 1}',
        b"null\n",
        b"[" * 100_000,
        b"SQ\xff\n",
        b"\x00\n",
    ],
)
def test_a_file_of_the_users_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "l.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="something other than labels"), opened_labels(path, HEADER):
        pass
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"labels": 2}\n', "newer maker_graph"),
        (b'{"labels": 1}\n', r"line 1: task: Field required"),
        (b'{"labels": 1, "task": "\xff"}\n', "not UTF-8"),
    ],
)
def test_a_first_line_that_does_not_fit_says_so(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "l.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says), opened_labels(path, HEADER):
        pass


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b'{"step": 0}\n', b"\xff\n", b"\x00\n", b'{"step": 1, "answer": ' + b"[" * 5000 + b"\n"]
)
def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path, line: bytes) -> None:
    path = begun(tmp_path / "l.jsonl", 1)
    with path.open("ab") as file:
        file.write(line + label(2).line().encode())
    with pytest.raises(UsageError, match=r"line \d"):
        read_labels(path, "certify")


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "l.jsonl"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(UsageError, match=f"is a {kind}"), opened_labels(path, HEADER):
        pass
    with pytest.raises(UsageError, match=f"is a {kind}"), reading_labels(path):
        pass
    with pytest.raises(UsageError, match="cannot be written"), opened_labels(tmp_path / "no" / "l.jsonl", HEADER):
        pass
    with pytest.raises(UsageError, match="cannot be read"), reading_labels(tmp_path / "none.jsonl"):
        pass


def test_cut_at_every_byte_of_its_last_line_the_others_are_there_and_the_next_label_is_whole(tmp_path: Path) -> None:
    path = begun(tmp_path / "l.jsonl", 1, 2)
    whole = path.read_bytes()
    start = whole[:-1].rfind(b"\n") + 1
    for cut in range(start, len(whole)):
        path.write_bytes(whole[:cut])
        with opened_labels(path, HEADER) as file:
            complete = cut == len(whole) - 1  # all but the line end: somebody wrote it by hand
            assert set(file.labels) == ({1, 2} if complete else {1})
            assert file.dropped is (start < cut < len(whole) - 1)
            file.add(label(3))
            assert not file.dropped
        assert set(read_labels(path, "certify")[1]) == ({1, 2, 3} if complete else {1, 3})
        assert path.read_text().count("\n") == (4 if complete else 3)


def test_cut_at_every_byte_of_its_first_line_it_begins_anew_or_is_told(tmp_path: Path) -> None:
    path = begun(tmp_path / "l.jsonl")
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        try:
            with opened_labels(path, HEADER) as file:
                file.add(label(1))
        except UsageError:
            assert 0 < cut < len('{"labels":'), "nobody can tell what this file was"
            assert path.read_bytes() == whole[:cut]
        else:
            assert set(read_labels(path, "certify")[1]) == {1}


def test_lines_that_end_in_cr_lf_empty_ones_and_a_mark_at_the_beginning_are_read(tmp_path: Path) -> None:
    path = begun(tmp_path / "l.jsonl", 1)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert set(read_labels(path, "certify")[1]) == {1}
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert set(read_labels(path, "certify")[1]) == {1}


def test_several_who_label_the_same_file_lose_nothing_and_see_each_other(tmp_path: Path) -> None:
    path = begun(tmp_path / "l.jsonl")

    def work(who: int) -> None:
        with opened_labels(path, HEADER) as file:
            for step in range(25):
                file.add(label(1 + 25 * who + step, who=str(who)))

    workers = [threading.Thread(target=work, args=(who,)) for who in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(read_labels(path, "certify")[1]) == set(range(1, 101))
    with opened_labels(path, HEADER) as one, opened_labels(path, HEADER) as other:
        other.add(label(500))
        one.add(label(501))
        assert {500, 501} <= one.labels.keys()
        other.refresh()
        assert {500, 501} <= other.labels.keys()


CLAIMING = """
import sys
from pathlib import Path
from tests.run.test_labels import HEADER
from maker_graph.run.labels import opened_labels
with opened_labels(Path(sys.argv[1]), HEADER) as file:
    print(file.claim(1), file.claim(2), flush=True)
    sys.stdin.read()
"""


def test_a_step_that_somebody_is_asked_about_is_free_again_when_that_process_is_killed(tmp_path: Path) -> None:
    path = begun(tmp_path / "l.jsonl")
    with subprocess.Popen(
        [sys.executable, "-c", CLAIMING, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True True\n"
        with opened_labels(path, HEADER) as file:
            assert (file.claim(1), file.claim(3)) == (False, True)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert file.claim(1)
            file.release(1)


def test_a_file_that_is_replaced_or_cut_short_meanwhile_is_told_and_not_written(tmp_path: Path) -> None:
    path = begun(tmp_path / "l.jsonl", 1)
    with opened_labels(path, HEADER) as file:
        path.rename(tmp_path / "moved.jsonl")
        begun(path, 2)
        with pytest.raises(UsageError, match="deleted, moved or replaced"):
            file.add(label(3))
    with opened_labels(path, HEADER) as file:
        path.write_bytes(b"")
        with pytest.raises(UsageError, match="cut short"):
            file.add(label(3))
    assert path.read_bytes() == b""


def test_a_file_that_can_only_be_read_is_read(tmp_path: Path) -> None:
    path = begun(tmp_path / "l.jsonl", 1)
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    with opened_labels(link, HEADER) as file:
        file.add(label(2))
    assert link.is_symlink()
    with reading_labels(path) as file:
        assert set(file.labels) == {1, 2}
        with pytest.raises(LimitReached, match="can only be read"):
            file.add(label(3))


def test_a_full_disk_keeps_what_was_there_and_no_half_line(tmp_path: Path) -> None:
    path = begun(tmp_path / "l.jsonl", 1)
    size = path.stat().st_size
    with opened_labels(path, HEADER) as file, full_disk(size + 40):
        with pytest.raises(LimitReached, match="make room"):
            file.add(label(2))
        assert path.stat().st_size == size
    assert set(read_labels(begun(path, 2), "certify")[1]) == {1, 2}
