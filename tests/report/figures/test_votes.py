"""Drawings of votes: the lines are the counts, the winner is blue, and a letter is nobody else's."""

from maker_graph.report.counting.contests import Contest
from maker_graph.report.figures.style import BLUE, ORANGE
from maker_graph.report.figures.votes import contest_colours, draw_contest, draw_undecided, letter
from tests.report.making import drawn

CONTEST = Contest(5, "base", ('"a"', '"b"', '"c"'), (0, 1, 0, 2, 0, 0), 1, 0, None)


def test_steps_left_are_drawn_for_both_rules() -> None:
    axes = drawn(draw_undecided, [100, 100, 7, 0], [100, 100, 3, 1], k=2, unit="votes")
    counts = {line.get_label(): list(line.get_ydata()) for line in axes.lines if line.get_label()[0] != "_"}
    assert counts == {"ahead by 2": [100, 100, 7], "first to 2 would need": [100, 100, 3, 1]}


def test_each_candidate_of_a_contest_has_its_line_and_the_winner_the_blue_one() -> None:
    lines = drawn(draw_contest, CONTEST).lines
    assert [list(line.get_ydata())[-1] for line in lines] == [4, 1, 1]
    assert [line.get_color() for line in lines] == contest_colours(CONTEST)
    assert contest_colours(CONTEST)[:2] == [BLUE, ORANGE]
    assert BLUE not in contest_colours(CONTEST._replace(winner=None))


def test_no_two_candidates_share_a_letter() -> None:
    assert len({letter(place) for place in range(100)}) == 100
