"""How fast steps are decided, and the contested ones with their ballots."""

from dataclasses import replace
from pathlib import Path

from maker_graph.report.counting.contests import Contest
from maker_graph.report.sections.votes import contests_section, undecided_section
from tests.report.making import HOSTILE, data_of

CONTEST = Contest(5, "base", ('"a"', '"b"'), (0, 1, 0, 0), 1, 0, 0)


def drawings(*names: str) -> dict[str, str]:
    return dict.fromkeys(["undecided-by-samples", "undecided-by-votes", *names], "<svg ></svg>")


def test_steps_that_no_vote_decided_are_told(hanoi: Path) -> None:
    data = data_of(hanoi)
    assert "decided by no vote" not in undecided_section(data, drawings())
    assert "2 steps were decided by no vote" in undecided_section(
        replace(data, endings=replace(data.endings, left=2)), drawings()
    )
    assert undecided_section(data, {}) == ""


def test_a_vote_is_told_with_who_won_and_whether_that_is_right(hanoi: Path) -> None:
    tried = [
        (CONTEST, "A won after 4 votes, 1 sample discarded, and it is right."),
        (CONTEST._replace(right=1, flagged=2, by="temperature"), "2 samples discarded, by temperature, and it is wrong."),
        (CONTEST._replace(right=None, flagged=0), "A won after 4 votes."),
        (CONTEST._replace(right=None, flagged=0, proved=True), "A was proved after 4 votes."),
        (CONTEST._replace(winner=None), "Nobody won in 4 votes"),
    ]
    for contest, says in tried:
        text = contests_section(replace(data_of(hanoi), contests=[contest]), drawings("contest-1"))
        assert says in text, text
        assert (("<em>proved" if contest.proved else "<em>won") in text) == (contest.winner is not None)


def test_a_long_candidate_is_cut_and_a_hostile_one_is_text(hanoi: Path) -> None:
    contest = CONTEST._replace(candidates=("x" * 1000, HOSTILE))
    text = contests_section(replace(data_of(hanoi), contests=[contest]), drawings("contest-1"))
    assert "x" * 300 + " …" in text
    assert "x" * 301 not in text
    assert "<img" not in text


def test_where_nothing_was_contested_it_says_so(hanoi: Path) -> None:
    assert "None: on every step" in contests_section(replace(data_of(hanoi), contests=[]), drawings())
    assert contests_section(replace(data_of(hanoi), contests=[]), {}) == ""
