"""The table that a run ends with."""

import re

import pytest

from maker_graph.statistics import correlated
from tests.cli.commands import SIM
from tests.conftest import Cli


def test_the_table_says_what_one_sample_per_step_would_have_done_and_that_nothing_was_spent(cli: Cli) -> None:
    done = cli("run", "hanoi", *SIM, "--disks", "5", COLUMNS="200")
    for words in ("proved", "Samples", "Red flags", "Votes that lost", "first at step", "simulated, $0.00 spent"):
        assert words in done.stdout
    otherwise = r"One sample per step +would have given another answer, or none, on (\d+) steps?, first at step \d+"
    said = re.search(otherwise + r"\. Wrong: (\d+) first samples?, 0 decisions", done.stdout)
    assert said
    assert int(said[1]) >= int(said[2]) > 0
    assert "list price: $" in done.stdout
    assert "sim:gpt-oss-20b is simulated" in done.stderr.replace("\n", " ")
    stated = re.search(r"no step is wrong: at least ([0-9.]+)\s%.* independently it would be ([0-9.]+)\s%", done.stderr)
    assert stated
    chances = [correlated.p_full(1 - 0.0358, 3, 31, rho=rho, rival=0.7) for rho in (0.005, 0.0)]
    assert [float(each) for each in stated.groups()] == pytest.approx([100 * chance for chance in chances], abs=0.05)
