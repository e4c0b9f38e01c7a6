"""The progress bars of the commands."""

import re

import pytest

from maker_graph.cli.bars import progress_bar


def test_bar_shows_what_is_done_its_unit_and_a_line_below(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("steps{task.fields[rate]}") as bar:
        task = bar.add_task("hanoi", total=7, rate="")
        bar.below = "3 samples [not markup]"
        bar.update(task, completed=2, rate=", 5/s")
        bar.refresh()

    said = capsys.readouterr()
    assert said.out == ""
    assert re.search(r"hanoi .*2/7 +steps, 5/s", said.err)
    assert "3 samples [not markup]" in said.err


def test_bar_without_a_line_below_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("rows") as bar:
        bar.add_task("measuring", total=3)

    said = capsys.readouterr().err
    assert len([line for line in said.splitlines() if line.strip()]) == 1, said
