"""Sites are where the rule says, with what surrounds them, whatever the file looks like."""

import pytest

from maker_graph.errors import UsageError
from maker_graph.tasks.migrate.sites import dedented, find_sites, strings_at, tree_of
from maker_graph.tasks.migrate.tree import LeftOut, Source
from tests.tasks.migrate.own import Failing, Odd, Plain, Raises
from tests.tasks.migrate.trees import sites_of

ENDS = ["\n", "\r\n", "\r"]


@pytest.mark.parametrize("end", ENDS)
def test_a_site_is_found_in_its_place_with_all_line_ends(end: str) -> None:
    text = end.join(["é = 1", "\x0cdef f(x):", "\tif x:", "\t\treturn (old(", "\t\t\t'ö')) + 1", ""])
    (site,) = sites_of(Plain(), text)
    begin, after = site["place"]
    assert text[begin:after] == f"old({end}\t\t\t'ö')"
    assert (site["line"], site["column"], site["kind"]) == (4, 11, "expression")
    assert site["statement"].strip() == f"return (old({end}\t\t\t'ö')) + 1"
    assert site["function"].startswith("def f(x):")
    assert site["around"].splitlines()[0].strip("\x0c") == "def f(x):"


def test_of_a_site_inside_another_the_outer_one_is_asked() -> None:
    assert [site["code"] for site in sites_of(Plain(), "x = old(1, old(2)); y = old(3)\n")] == ["old(1, old(2))", "old(3)"]


def test_a_site_may_stand_inside_an_f_string_and_in_the_head_of_a_block() -> None:
    sites = sites_of(Plain(), "x = f'{old(1)}'\nif x:\n    pass\nelif old(2):\n    pass\n")
    assert [site["code"] for site in sites] == ["old(1)", "old(2)"]
    assert all(tree_of(site["statement"]) is not None for site in sites)


def test_the_lines_of_a_statement_are_shown_at_the_margin_but_those_of_a_string() -> None:
    (site,) = sites_of(Raises(), 'class T:\n    def f(self):\n        assert_raises(E,\n            f, """a\n        b""")\n')
    assert site["kind"] == "statement"
    assert site["code"] == 'assert_raises(E,\n    f, """a\n        b""")'


def test_what_is_no_python_is_left_out_with_its_line() -> None:
    left = find_sites(Source("a.py", "x = 1\nprint 'a'\n", "utf-8"), Plain(), None)
    assert isinstance(left, LeftOut)
    assert left.why == "line 2 is not Python that can be read"


def test_a_rule_that_fails_or_finds_what_is_no_site_is_named() -> None:
    with pytest.raises(UsageError, match=r"Failing\.find failed on a\.py with KeyError"):
        sites_of(Failing(), "old(1)\n")
    with pytest.raises(UsageError, match=r"Odd\.find returned Module"):
        sites_of(Odd(), "old(1)\n")


def test_lines_inside_of_strings_are_known() -> None:
    assert strings_at("f(", ['"""a', 'b""",', "c)"]) == {1}
    assert dedented("f(\r\n    1)", "    ") == "f(\n1)"


def test_a_tree_is_that_of_all_statements_or_none() -> None:
    assert tree_of("    x = 1\n    y = 2") is not None
    assert tree_of("x = (") is None
    assert tree_of("    x = 1\nelse:\n    y") is None
