"""Columns: each has a name of its own, and what looks the same is the same."""

import pytest

from maker_graph.errors import UsageError
from maker_graph.tasks.curate.columns import alike, see_header


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        (["a", "a"], "told apart: 'a', 'a'"),
        (["caf\u00e9", "cafe\u0301 "], "told apart"),
        (["a", "A\u200b"], "told apart"),
        (["a", " "], "column 2 of the header has no name"),
        (["a;b;c"], "separated by semicolons"),
        (["a\tb"], "separated by tabs"),
    ],
)
def test_a_header_in_which_a_name_says_nothing_is_refused(columns: list[str], problem: str) -> None:
    with pytest.raises(UsageError, match=f"^t.csv.*{problem}"):
        see_header(columns, "t.csv")


def test_names_that_differ_are_kept() -> None:
    see_header(["a;b", "c", "ß"], "t.csv")
    assert alike(["a", "b", "A"]) == ["a", "A"]
