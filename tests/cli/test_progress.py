"""The progress bar of long commands."""

import pytest

from maker_graph.cli.progress import Bar


def test_a_bar_says_what_is_worked_on_how_much_is_done_and_what_stands_below(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar("hanoi\x1b", "steps", 7, done=2) as bar:
        bar.step()
        bar.reach(5, more=", 3 red flags")
        bar.below = "12 samples"
    said = capsys.readouterr()
    assert said.out == ""
    first, below, *_ = said.err.splitlines()
    assert first.startswith(r"hanoi\x1b ")
    assert "5/7 steps, 3 red flags" in first
    assert below == "12 samples"


def test_a_bar_that_was_never_shown_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Bar("rows", "steps").stop()
    assert capsys.readouterr().err == ""
