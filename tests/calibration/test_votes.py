"""Files of labelled votes: what is read, what is told, and what is refused with its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from maker_graph.calibration.file import open_calibration
from maker_graph.calibration.votes import PoolName, read_votes
from maker_graph.errors import UsageError
from tests.calibration.making import request_of, step_of
from tests.calibration.voted import row_of, written

R, F = "\1", "\0"


def test_answers_are_compared_with_the_truth_as_canonical_json(tmp_path: Path) -> None:
    rows = [
        {"row": 0, "truth": 18, "res": [18, "18", 18.0, None, True]},
        {"row": 1, "truth": {"b": 1, "a": [2]}, "res": [{"a": [2], "b": 1}, {"a": [2]}, []]},
    ]
    (pool,) = read_votes([written(tmp_path / "v.jsonl", rows)]).pools.values()
    assert [row.sequence for row in pool.rows.values()] == [f"{R}\2\3{F}\4", f"{R}\2\3"]
    assert pool.rows["0"].wrong == ('"18"', "18.0", "true")


def test_an_answer_that_no_vote_could_be_for_is_a_red_flag(tmp_path: Path) -> None:
    lines = ['{"row": 0, "truth": 1, "res": [NaN, 1, "\\u0007", 99999999999999999999, "\\ud800", 1]}']
    (pool,) = read_votes([written(tmp_path / "v.jsonl", lines)]).pools.values()
    assert pool.rows["0"].sequence == f"{F}{R}{F}{F}{F}{R}"


def test_a_file_is_named_by_whoever_knows_whose_samples_it_holds(tmp_path: Path) -> None:
    plain = written(tmp_path / "votes.jsonl", [row_of(0, "R")])
    said = written(
        tmp_path / "said.jsonl", [row_of(0, "R", model="a:b", temperature=[0, 0.1]), row_of(1, "R", model="c:d", temperature=1)]
    )
    by_file = read_votes([plain, said])
    assert set(by_file.pools) == {PoolName("votes", None), PoolName("a:b", (0.0, 0.1)), PoolName("c:d", (1.0, 1.0))}
    assert [pool.named for pool in by_file.pools.values()] == [False, True, True]
    assert set(read_votes([f"x:y@0.7={plain}"]).pools) == {PoolName("x:y", (0.7, 0.7))}
    assert set(read_votes([f"x:y@0,0.1={plain}"]).pools) == {PoolName("x:y", (0.0, 0.1))}
    assert set(read_votes([f"x:y={plain}"]).pools) == {PoolName("x:y", None)}
    equals = written(tmp_path / "a=b.jsonl", [row_of(0, "R")])
    assert set(read_votes([str(equals)]).pools) == {PoolName("a=b", None)}


def test_rows_without_names_are_named_by_their_lines_and_empty_lines_are_none(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"truth": "a", "res": ["a"]}\r\n\r\n{"truth": "a", "res": ["b"]}')
    (pool,) = read_votes([path]).pools.values()
    assert [*pool.rows] == ["line 1", "line 3"]


def test_the_samples_of_a_row_are_as_many_as_most_rows_have_and_shorter_rows_are_told(tmp_path: Path) -> None:
    rows = [row_of(0, "RRRR"), row_of(1, "RRRR"), row_of(2, "RR"), row_of(3, ""), row_of(4, "RRRRRR")]
    votes = read_votes([written(tmp_path / "v.jsonl", rows)])
    (pool,) = votes.pools.values()
    assert pool.samples == 4
    assert "2 of 5 rows have fewer than 4 samples" in votes.notes[0]


def test_what_looks_wrong_is_told(tmp_path: Path) -> None:
    rows = [{"row": i, "truth": 18, "res": ["18"], "text": "same" if i < 2 else f"other {i}"} for i in range(4)]
    notes = read_votes([written(tmp_path / "v.jsonl", [*rows, rows[0]])]).notes
    assert [
        any(said in note for note in notes) for said in ("1 rows stand twice", "2 rows ask what another", "no sample is right")
    ] == [True] * 3


def test_a_calibration_is_read_with_its_temperatures_and_caps(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    with open_calibration(path, request_of(steps=3)) as calibration:
        calibration.add(step_of(4, 0, "empty", 1, right=0))
        calibration.add(step_of(2, 0, 1, right=None))
        calibration.add(step_of(1, 0, 0).model_copy(update={"candidates": []}))
    (pool,) = read_votes([path]).pools.values()
    assert (pool.name, pool.max_tokens, pool.named) == (PoolName("scripted", (0.0, 0.1)), 99, True)
    assert {name: row.sequence for name, row in pool.rows.items()} == {"step 4": f"{R}{F}\2", "step 2": "\2\3", "step 1": R + R}


@pytest.mark.parametrize(("labels", "refused"), [({}, True), ({4: "b"}, True), ({4: None}, False)])
def test_where_a_verifier_proved_a_wrong_answer_nothing_is_planned(labels: Any, refused: bool, tmp_path: Path) -> None:
    with open_calibration(tmp_path / "c.jsonl", request_of(steps=1, labels=labels)) as calibration:
        calibration.add(step_of(4, 0, 1, right=0).model_copy(update={"standings": ["unknown", "proved"]}))
    if not refused:
        assert len(read_votes([tmp_path / "c.jsonl"]).pools) == 1, "whoever labelled it was unsure"
        return
    with pytest.raises(UsageError, match=r"proved a wrong answer on 1 of the steps, step 4 \(from 0\) among them"):
        read_votes([tmp_path / "c.jsonl"])


def test_calibrations_of_the_same_steps_at_two_temperatures_are_two_pools(tmp_path: Path) -> None:
    for heat in (0.0, 1.0):
        with open_calibration(tmp_path / f"{heat}.jsonl", request_of(temperature=(heat, heat))) as calibration:
            calibration.add(step_of(0, 0, 1))
    pools = read_votes([tmp_path / "0.0.jsonl", tmp_path / "1.0.jsonl"]).pools
    assert [str(name) for name in pools] == ["scripted at 0", "scripted at 1"]


@pytest.mark.parametrize(
    ("changes", "says"), [({"truth": False}, "without known right answers"), ({"total": 9}, "is of another task than")]
)
def test_calibrations_that_do_not_fit_are_refused(changes: dict[str, Any], says: str, tmp_path: Path) -> None:
    for name, request in (("a", request_of()), ("b", request_of(**changes))):
        with open_calibration(tmp_path / name, request) as calibration:
            calibration.add(step_of(0, 0))
    with pytest.raises(UsageError, match=says):
        read_votes([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(UsageError, match="give it without a name"):
        read_votes([f"m={tmp_path / 'a'}"])


GOOD = row_of(0, "RR")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([GOOD, "{"], "line 2: it is not JSON"),
        ([GOOD, "[]"], "line 2: it is not a JSON object"),
        ([GOOD, '{"row": 1, "row": 2, "truth": 1, "res": []}'], "line 2: it is not JSON .a key stands twice"),
        ([GOOD, {"row": 1, "res": []}], "line 2: there is no truth"),
        ([GOOD, {"row": 1, "truth": None, "res": []}], "line 2: there is no truth"),
        ([GOOD, {"row": 1, "truth": "a"}], 'line 2: there is no list of samples under "res"'),
        ([GOOD, {"row": 1, "truth": "a", "res": "RRR"}], 'line 2: there is no list of samples under "res"'),
        ([GOOD, '{"row": 1, "truth": NaN, "res": []}'], "line 2: its truth is"),
        ([GOOD, {"row": [1], "truth": "a", "res": []}], 'line 2: "row" is a number or a text'),
        ([GOOD, {"row": True, "truth": "a", "res": []}], 'line 2: "row" is a number or a text'),
        ([GOOD, '{"row": "\\ud800", "truth": "a", "res": []}'], 'line 2: its "row" is'),
        ([GOOD, {"truth": "a", "res": []}], "line 2: some rows have a"),
        ([{"truth": "a", "res": []}, GOOD], "line 2: some rows have a"),
        ([GOOD, row_of(1, "R", model=3)], 'line 2: "model" is a text'),
        ([GOOD, row_of(1, "R", temperature="hot")], 'line 2: "temperature" is a number or two'),
        ([GOOD, row_of(1, "R", temperature=[0, 1, 2])], 'line 2: "temperature" is a number or two'),
        ([GOOD, row_of(1, "R", temperature=-1)], 'line 2: "temperature" is a number or two'),
        ([GOOD, row_of(0, "RR", truth="b")], "line 2: the row 0 has another truth than in .*line 1"),
        ([GOOD, row_of(0, "RRR")], "line 2: the row 0 stands in .*line 1 with other samples"),
        ([row_of(0, "RR", text="a"), row_of(0, "RR", text="b")], "line 2: the row 0 has another text"),
        ([], "is empty"),
        (["", "  "], "is empty"),
        ([GOOD, "[" * 100_000], "line 2: it is not JSON"),
    ],
)
def test_what_is_odd_is_told_with_its_line(lines: list[Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says):
        read_votes([written(tmp_path / "v.jsonl", lines)])


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "latin.jsonl").write_bytes(json.dumps(GOOD).encode() + b'\n{"row": 1, "truth": "\xe9", "res": []}\n')
    for file, says in (
        (tmp_path / "none.jsonl", "cannot be read"),
        (tmp_path, "is a folder"),
        (tmp_path / "latin.jsonl", "line 2: this is not UTF-8"),
        (f"m@hot={tmp_path}", "names no model and temperature"),
    ):
        with pytest.raises(UsageError, match=says):
            read_votes([file])
    with pytest.raises(UsageError, match="no labelled votes"):
        read_votes([])


def test_two_files_of_other_rows_are_refused(tmp_path: Path) -> None:
    one, two = written(tmp_path / "a.jsonl", [row_of(0, "R")]), written(tmp_path / "b.jsonl", [row_of(0, "R", truth="x")])
    with pytest.raises(UsageError, match=r"b.jsonl, line 1: the row 0 has another truth than in .*a.jsonl, line 1"):
        read_votes([one, two])
