"""An answer that is left is there whole until it is taken away, and only a newer one takes its place."""

import os
from pathlib import Path

import pytest

from maker_graph.errors import LimitReached
from maker_graph.run.left_answers import FOLDER, MOST_READ, AnswerFiles, Candidate


def test_an_answer_is_found_as_it_was_left_and_for_its_owner_alone(tmp_path: Path) -> None:
    left = AnswerFiles(tmp_path)
    assert left.all() == []
    left.leave(7, "seven\n", "ab")
    left.leave(2, Candidate("2"))
    two, seven = left.all()
    assert (two.step, two.meant(), type(two.meant()), two.after) == (2, "2", Candidate, None)
    assert (seven.step, seven.meant(), type(seven.meant()), seven.after) == (7, "seven\n", str, "ab")
    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / FOLDER).iterdir()} == {0o600}


def test_a_newer_answer_takes_the_place_of_an_older_one_and_of_what_was_refused(tmp_path: Path) -> None:
    left = AnswerFiles(tmp_path)
    left.leave(7, "six")
    left.refuse(left.waiting()[7], "it is invalid")
    assert left.waiting() == {}
    assert [(each.reply, each.refused) for each in left.all()] == [("six", "it is invalid")]
    left.leave(7, "seven")
    assert [(each.reply, each.refused) for each in left.all()] == [("seven", "")]


def test_to_refuse_one_answer_does_not_touch_a_newer_one(tmp_path: Path) -> None:
    left = AnswerFiles(tmp_path)
    left.leave(7, "six")
    read = left.waiting()[7]
    left.leave(7, "seven")
    left.refuse(read, "it is invalid")
    assert left.waiting()[7].reply == "seven"


def test_what_is_no_answer_is_left_where_it_lies(tmp_path: Path) -> None:
    left = AnswerFiles(tmp_path)
    left.leave(7, "seven")
    for name, content in (
        ("x.json", "no"),
        ("y.json", '{"step": 0, "reply": "x"}'),
        ("z.json", b"\xff".hex()),
        (".draft", "{"),
    ):
        (tmp_path / FOLDER / name).write_text(content)
    os.mkfifo(tmp_path / FOLDER / "pipe.json")
    (tmp_path / FOLDER / "long.json").write_text('{"step": 7, "reply": "' + "x" * MOST_READ + '"}')
    assert [each.step for each in left.all()] == [7]
    left.remove(left.all()[0])
    assert len(list((tmp_path / FOLDER).iterdir())) == 6


def test_where_no_answer_can_be_kept_it_says_so(tmp_path: Path) -> None:
    (tmp_path / FOLDER).touch()
    with pytest.raises(LimitReached, match="cannot be kept"):
        AnswerFiles(tmp_path).leave(1, "x")


def test_links_out_of_the_directory_are_not_followed(tmp_path: Path) -> None:
    other, run = AnswerFiles(tmp_path / "other"), AnswerFiles(tmp_path / "run")
    for name in ("other", "run"):
        (tmp_path / name).mkdir()
    other.leave(3, "three")
    run.leave(7, "seven")
    (tmp_path / "run" / FOLDER / "0.json").symlink_to(tmp_path / "other" / FOLDER / other.all()[0].key)
    assert [each.step for each in run.all()] == [7]
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / FOLDER).symlink_to(tmp_path / "other" / FOLDER)
    linked = AnswerFiles(tmp_path / "linked")
    with pytest.raises(LimitReached, match="a link"):
        linked.leave(3, "3")
    assert (linked.all(), [each.reply for each in other.all()]) == ([], ["three"])
