"""Votes are held against the truth where it is known, and against the decision where it is not."""

from pathlib import Path

from maker_graph.report.collecting import collect
from maker_graph.report.counting.truth import LENGTH_BINS, VoteJudge
from maker_graph.report.sections.top import headline
from tests.made import new_settings
from tests.report.making import by_hand, moves, step, vote


def test_a_wrong_run_is_told_with_its_first_error_and_not_judged_beyond(tmp_path: Path) -> None:
    settings = new_settings("hanoi", {"disks": 3}, "sim:perfect", k=1)
    with by_hand(tmp_path / "made", settings, moves(3, 7, wrong_at=3)) as run:
        found = collect(run)
    assert headline(found) == "7 dependent steps, the first error at step 3: contradicted"
    assert (found.truth.steps, found.truth.wrong_steps, found.truth.first_wrong) == (3, 1, 3)
    assert (found.truth.votes, found.truth.wrong_votes) == (3, 1)


def test_where_the_truth_is_known_a_decision_may_be_wrong_and_votes_for_it_are() -> None:
    judge = VoteJudge(300, known=True)
    judge.add(step(1, vote(0, 0, 1), truth='"a"'))
    judge.add(step(2, vote(0, 1, 0), truth='"b"'))
    judge.add(step(3, vote(0, 0), truth='"nobody said so"'))
    judge.add(step(4, vote(0, 0)))
    truth = judge.truth()
    assert (truth.steps, truth.wrong_steps, truth.first_wrong) == (3, 2, 2)
    assert (truth.votes, truth.wrong_votes) == (8, 1 + 2 + 2)


def test_where_it_is_not_known_the_decision_stands_for_it_and_no_decision_is_judged() -> None:
    judge = VoteJudge(300, known=False)
    judge.add(step(1, vote(0, 0)._replace(lengths=[])))
    judge.add(step(2, vote(0, 1, 0)))
    judge.add(step(3, vote(0, 1, candidates=('"b"', '"a"')), vote(0, 0)))
    judge.add(step(4, vote(0, 1), winner=None))
    truth = judge.truth()
    assert (truth.known, truth.steps, truth.wrong_steps) == (False, 0, 0)
    assert (truth.votes, truth.wrong_votes) == (2 + 3 + 4, 1 + 1)


def test_lengths_are_in_bins_and_the_longest_share_one() -> None:
    judge = VoteJudge(30 * LENGTH_BINS, known=False)
    judge.add(step(1, vote(0, "empty", 1, 0)))
    judge.add(step(2, vote(0)._replace(lengths=[10**6])))
    lengths = judge.lengths()
    assert lengths is not None
    assert (lengths.width, lengths.all) == (30, {0: 2, 1: 2, 2 * LENGTH_BINS: 1})
    assert (lengths.flagged, lengths.judged, lengths.wrong) == ({0: 1}, {0: 1, 1: 2, 2 * LENGTH_BINS: 1}, {1: 1})
    assert VoteJudge(750, known=True).lengths() is None
