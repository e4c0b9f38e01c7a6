"""The tree of problems on the page: every problem, its answer and votes, and where a bound was reached."""

from dataclasses import replace
from pathlib import Path

import pytest

from maker_graph.report.sections.tree import tree_section
from maker_graph.tasks import Decompose
from maker_graph.tasks.decompose import Tree
from tests.report.making import HOSTILE, data_of

pytestmark = pytest.mark.xdist_group("page")  # the run and its page are made once


def test_every_problem_stands_with_its_answer_its_votes_and_its_bound(hanoi: Path) -> None:
    data = data_of(hanoi)
    assert tree_section(data) == ""
    tree = Tree(Decompose(HOSTILE, max_depth=1))
    tree.add({"problems": ["a", "b"], "combine": HOSTILE}, [(HOSTILE, 3), ("x", 1)])
    tree.add("A", [])
    page = tree_section(replace(data, tree=tree.root))
    assert "3 problems, with the answer of each and the votes for it. 2 could not be split further" in page
    assert "<span>a</span> <b>A</b> <small>solved at once: max_depth is reached; solve: answered by a person</small>" in page
    assert "<span>b</span> not answered yet" in page
    assert "split: votes 3:1" in page
    assert "<script" not in page
    assert "<img" not in page
