"""Cascades on labelled votes: what a run would have done with the same samples, to the letter."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from maker_graph.calibration.trials import End, tried
from maker_graph.calibration.votes import LabelledVotes, Pool, PoolName, Row, read_votes
from maker_graph.core.decision import decide, next_draw
from maker_graph.core.judging import Judged, Usage
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError
from maker_graph.run.cascades import RungFile
from tests.calibration.voted import cascade_of, row_of, votes_of, written

RUNGS = [
    {"k": 1},
    {"k": 2, "within": 2},
    {"k": 2, "within": 5},
    {"k": 3},
    {"k": 3, "within": 6, "max_samples": 7},
    {"confirm": 2, "of": 3},
    {"k": 2, "stuck_after": 2},
]


def as_a_run_would(sequence: str, rung: RungFile) -> tuple[int, int]:
    """Return the end and the samples of a vote, by the functions of a run."""
    voting = Voting(k=rung.rule(), max_samples=rung.max_samples, stuck_after=rung.stuck_after)
    judged: list[Judged] = []
    rounds, draws = 0, voting.first_round
    while draws:
        if len(judged) + draws > len(sequence):
            return End.SHORT, len(sequence)
        judged += [sample_of(index, sequence[index]) for index in range(len(judged), len(judged) + draws)]
        rounds, draws = rounds + 1, next_draw(judged, voting)
    decision = decide(judged, voting, rounds)
    if decision["status"] == "decided":
        return (End.RIGHT if decision["candidate"] == "\1" else End.WRONG), decision["samples"]
    return (End.PASSED if decision.get("passed") else End.STUCK), decision["samples"]


def sample_of(index: int, letter: str) -> Judged:
    flag = "empty" if letter == "\0" else None
    usage = Usage(input=1, cached=0, output=1)
    return Judged(index=index, text=letter, flag=flag, why="", candidate=letter, answer=letter, usage=usage, lost=0)


def pool_of(sequences: Iterable[str]) -> LabelledVotes:
    wrong = tuple(chr(ord("a") + i) for i in range(20))
    rows = {str(i): Row(each, wrong, None, None, ("", 0)) for i, each in enumerate(sequences)}
    return LabelledVotes({PoolName("m", None): Pool(PoolName("m", None), rows)}, [])


SMALL = ["".join(each) for each in product("\0\1\2\3", repeat=6)]
LARGE = ["".join(chr(i % 13 + 1) for i in range(start, start + 14)) for start in range(13)] + ["\0\1\2" * 4 + "\0\1"]


@pytest.mark.parametrize("rung", RUNGS, ids=str)
@pytest.mark.parametrize(
    "sequences", [[*SMALL, *(each[:n] for n in (0, 1, 4) for each in SMALL[::97])], LARGE], ids=["small", "large"]
)
def test_each_row_ends_as_in_a_run(sequences: list[str], rung: dict[str, int]) -> None:
    trial = tried(cascade_of(rung), pool_of(sequences))
    fitted = trial.cascade.rungs[0]
    assert fitted.max_samples == min(len(sequences[0]), rung.get("max_samples", 100))
    found = zip(trial.ends.tolist(), trial.samples.tolist(), strict=True)
    assert [*found] == [as_a_run_would(each, fitted) for each in sequences]


def test_a_tally_counts_rows_and_samples(tmp_path: Path) -> None:
    votes = votes_of(tmp_path, "m", "RRRRRR", "xxxRRR", "RxRRRR", "------", "--RR", "-RRRRR")
    tally = tried(cascade_of({"k": 3, "within": 3}), votes).tally()
    assert tally == (6, 2, 1, 1, 1, 1, 3 + 3 + 3 + 6 + 4 + 4)
    assert (tally.decided, tally.error, tally.review) == (3, 1 / 3, 0.5)
    assert tally.counts == (2, 4), "the short row counts as decided and wrong"
    again = tried(cascade_of({"k": 3, "within": 3}), votes).tally(np.array([0, 0, 1]))
    assert again[:3] == (3, 2, 1)


def test_what_a_rung_does_not_decide_goes_to_the_next_with_a_ballot_of_its_own(tmp_path: Path) -> None:
    a = written(tmp_path / "a.jsonl", [row_of(0, "RRR"), row_of(1, "RxR"), row_of(2, "---"), row_of(3, "xRx")])
    b = written(tmp_path / "b.jsonl", [row_of(0, "x"), row_of(1, "R"), row_of(2, "x"), row_of(3, "-")])
    cascade = cascade_of({"k": 2, "within": 2}, {"model": "n", "k": 1})
    trial = tried(cascade, read_votes([f"m={a}", f"n={b}"]))
    assert trial.ends.tolist() == [End.RIGHT, End.RIGHT, End.WRONG, End.STUCK]
    assert trial.samples.tolist() == [2, 3, 3, 3]  # three flags in a first round of two: the next two are not there


def test_rungs_on_the_same_samples_share_them(tmp_path: Path) -> None:
    votes = votes_of(tmp_path, "m", "RxRRRRRR", "Rx--RRRR", "RxxxxxRR")
    trial = tried(cascade_of({"k": 2, "within": 2}, {"k": 3, "within": 3}), votes)
    assert [rung.max_samples for rung in trial.cascade.rungs] == [3, 4]
    assert trial.ends.tolist() == [End.RIGHT, End.RIGHT, End.WRONG]
    assert trial.samples.tolist() == [5, 6, 5]


def test_a_pair_of_temperatures_takes_its_first_sample_from_the_cold_pool(tmp_path: Path) -> None:
    cold = written(tmp_path / "cold.jsonl", [row_of(0, "Rz"), row_of(1, "xz"), row_of(2, "qz"), row_of(3, "-z")])
    hot = written(tmp_path / "hot.jsonl", [row_of(0, "RRx"), row_of(1, "RRR"), row_of(2, "xyR"), row_of(3, "RRR")])
    votes = read_votes([f"m@0.1={cold}", f"m@0.7={hot}"])
    trial = tried(cascade_of({"confirm": 2, "of": 3, "temperature": (0.1, 0.7)}), votes)
    assert trial.ends.tolist() == [End.RIGHT, End.PASSED, End.PASSED, End.RIGHT]
    assert trial.cascade.rungs[0].max_samples == 4
    wrong = tried(cascade_of({"k": 2, "within": 2, "temperature": (0.1, 0.7)}), votes)
    assert wrong.ends.tolist() == [End.RIGHT, End.PASSED, End.PASSED, End.RIGHT], (
        "a wrong cold answer is another one than the hot x"
    )


def test_a_wrong_answer_is_the_same_in_both_pools(tmp_path: Path) -> None:
    cold, hot = written(tmp_path / "c", [row_of(0, "y")]), written(tmp_path / "h", [row_of(0, "xyy")])
    votes = read_votes([f"m@0.1={cold}", f"m@0.7={hot}"])
    assert tried(cascade_of({"confirm": 2, "of": 3, "temperature": (0.1, 0.7)}), votes).ends.tolist() == [End.WRONG]


def test_a_cold_sample_is_not_taken_twice(tmp_path: Path) -> None:
    cold, hot = written(tmp_path / "c", [row_of(0, "RxxRR")]), written(tmp_path / "h", [row_of(0, "RRRRRR")])
    votes = read_votes([f"m@0.1={cold}", f"m@0.7={hot}"])
    trial = tried(
        cascade_of({"k": 3, "within": 3, "temperature": 0.1}, {"confirm": 2, "of": 2, "temperature": (0.1, 0.7)}), votes
    )
    assert trial.ends.tolist() == [End.RIGHT]
    assert trial.samples.tolist() == [3 + 3]


def test_what_is_tried_with_fewer_samples_than_its_rule_may_take_is_told(tmp_path: Path) -> None:
    trial = tried(cascade_of({"k": 3, "within": 9}, name="c"), votes_of(tmp_path, "m", "RRRR", "xRxR"))
    assert trial.notes == ("c: rung 1 may need 9 samples, and there are 4 of each row: it is tried with max_samples=4.",)
    assert trial.ends.tolist() == [End.RIGHT, End.STUCK]


def test_rows_that_a_pool_lacks_are_left_out_and_told(tmp_path: Path) -> None:
    a, b = written(tmp_path / "a", [row_of(0, "RR"), row_of(1, "xR")]), written(tmp_path / "b", [row_of(1, "R")])
    trial = tried(cascade_of({"k": 2, "within": 2}, {"model": "n", "k": 1}, name="c"), read_votes([f"m={a}", f"n={b}"]))
    assert (trial.rows, trial.notes) == (["1"], ("c: 1 rows have no samples in one of its pools, and are left out.",))


@pytest.mark.parametrize(
    ("rungs", "says"),
    [
        ([{"model": "x", "k": 1}], "takes samples of 'x', and the files have those of m at 0.1, m at 0.7. Say .* with x=FILE"),
        ([{"k": 1}], "needs samples at another temperature"),
        ([{"k": 1, "temperature": 0.3}], "needs samples at another temperature"),
        ([{"k": 1, "temperature": None}], "needs samples at another temperature"),
        ([{"k": 4, "temperature": 0.1}], "Rung 1 .* needs more samples of m at 0.1 than the files have: 3 of each row."),
        ([{"k": 2, "temperature": 0.1}, {"k": 2, "temperature": 0.1}], "3 of each row, for all rungs"),
        ([{"k": 1, "temperature": 0.1}, {"k": 1, "temperature": 0.1, "rephrase": 1}], "rephrased prompt"),
    ],
)
def test_samples_that_are_not_there_are_told(rungs: list[dict[str, object]], says: str, tmp_path: Path) -> None:
    file = written(tmp_path / "v", [row_of(0, "RRR")])
    votes = read_votes([f"m@0.1={file}", f"m@0.7={file}"])
    with pytest.raises(UsageError, match=says):
        tried(cascade_of(*rungs), votes)


def test_a_rung_without_a_temperature_takes_what_suits_its_rule_and_is_kept_with_it(tmp_path: Path) -> None:
    cold, hot = written(tmp_path / "c", [row_of(0, "RRxx")]), written(tmp_path / "h", [row_of(0, "xRRR")])
    votes = read_votes([f"m@0.1={cold}", f"m@0.7={hot}"])
    passing = tried(cascade_of({"k": 2, "within": 2}), votes)
    assert (passing.ends.tolist(), passing.cascade.rungs[0].temperature) == ([End.PASSED], 0.7)
    confirming = tried(cascade_of({"confirm": 2, "of": 3}), votes)
    assert (confirming.ends.tolist(), confirming.cascade.rungs[0].temperature) == ([End.RIGHT], (0.1, 0.7))
    alone = tried(cascade_of({"k": 2, "within": 2}), read_votes([f"m@0.1={cold}"]))
    assert alone.cascade.rungs[0].temperature == 0.1, "a run must draw as the labelled samples were drawn"


def test_a_second_cold_first_sample_is_not_there(tmp_path: Path) -> None:
    votes = read_votes([f"m@0,0.1={written(tmp_path / 'v', [row_of(0, 'RRRRRR')])}"])
    rung = {"k": 2, "within": 2, "temperature": (0.0, 0.1)}
    assert tried(cascade_of(rung), votes).ends.tolist() == [End.RIGHT]
    with pytest.raises(UsageError, match="give this one another temperature"):
        tried(cascade_of(rung, rung), votes)
