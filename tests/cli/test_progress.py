"""The progress bars of the commands."""

import re

import pytest

from maker_graph.cli.progress import Bar


def test_bar_shows_what_is_done_its_unit_and_a_line_below(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("hanoi", "steps", 7) as bar:
        bar.below = "3 samples [not markup]"
        bar.reach(2, more=", 5/s")

    said = capsys.readouterr()
    assert said.out == ""
    assert re.search(r"hanoi .*2/7 +steps, 5/s", said.err)
    assert "3 samples [not markup]" in said.err


def test_bar_without_a_line_below_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("measuring", "rows", 3) as bar:
        bar.reach(1)

    assert len([line for line in capsys.readouterr().err.splitlines() if line.strip()]) == 1
