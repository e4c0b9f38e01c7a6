"""An edit changes its site and nothing else."""

import pytest

from maker_graph.errors import Invalid
from maker_graph.tasks.migrate.edits import (
    Edit,
    comments_in,
    edited,
    expression_of,
    same_tree,
    see_comments,
    see_edit,
    see_target,
)  # fmt: skip
from maker_graph.tasks.migrate.sites import Site
from maker_graph.tasks.migrate.tree import Source
from tests.tasks.migrate.own import Plain, Raises
from tests.tasks.migrate.trees import sites_of


def site(text: str = "x = 2 * old(1).real\n", **more: object) -> Site:
    (found,) = sites_of(Plain(), text)
    return {**found, **more}  # type: ignore[typeddict-item]


def test_spacing_quotes_and_parentheses_are_no_difference() -> None:
    assert same_tree("f( 'a',(b) )") == same_tree('f("a", b)') == same_tree('(f(u"a",\n b))')
    assert same_tree("f('a')") != same_tree("f('b')")
    with pytest.raises(ValueError, match="not Python"):
        same_tree("f(")


@pytest.mark.parametrize("code", ["new(1)", "(new(1))", "new(\n1)", "(1 + 1)", "[old(1)][0]"])
def test_an_expression_may_take_the_place_of_a_site(code: str) -> None:
    see_edit(site(), code)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("1 + x", "changes the code around"),
        ("a) + (b", "not a Python expression"),
        ("x = 1", "not a Python expression"),
        ("", "not a Python expression"),
        ("new(", "not a Python expression"),
        ("new(1)\nimport os", "not a Python expression"),
        ("new(1) # )", "no longer be Python|around"),
        ("new(1)\n", "around|any more"),
        ("new\n(1)", "around|any more"),
        ("lambda: 1", "around|any more"),
        ("# nothing", "not a Python expression"),
        ("a, b", "around"),
        ("yield", "around|any more"),
    ],
)
def test_what_changes_more_than_the_site_is_refused(code: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        see_edit(site(), code)


def test_statements_may_take_the_place_of_a_statement() -> None:
    (found,) = sites_of(Raises(), "def f():\n    assert_raises(E, g)\n    x = 1\n")
    see_edit(found, "with raises(E):\n    g()")
    see_edit(found, "a = 1\nb = 2")
    for code in ("with raises(E):", "  g()", "", "# nothing", "else:\n    g()", "return\nx ="):
        with pytest.raises(Invalid):
            see_edit(found, code)


def test_comments_are_kept_and_none_is_added() -> None:
    found = site("x = old(\n    1,  # one\n)\n")
    see_comments(found, "new(1,  # one\n)")
    for code in ("new(1)", "new(1, # two\n)", "new(1, # one\n # more\n)"):
        with pytest.raises(Invalid, match="comments"):
            see_comments(found, code)
    assert comments_in("f('# no')") == []


@pytest.mark.parametrize("code", ["f'{a['b']}'", r"f'{chr(10).join(x + '\n')}'", "f'{f'{a}'}'"])
def test_nested_quotes_are_for_python_3_12(code: str) -> None:
    with pytest.raises(Invalid):
        see_target(site(), code)
    see_target(site(target=[3, 12]), code)


def test_quotes_that_differ_are_for_every_python() -> None:
    see_target(site(), """f'{a["b"]} {c!r:>5}' "it's" """)


def test_all_edits_of_a_file_are_put_in_with_its_line_ends_and_what_they_need_is_imported() -> None:
    text = '"""Doc."""\r\nimport os\r\nif 1:\r\n\tx = old(1), old(2)\r\n'
    sites = sites_of(Plain(), text)
    edits = [Edit(sites[0], "new(\n1)", (("a", "b"),)), Edit(sites[1], "new(2)", (("a", "b"), ("c", "")))]
    assert edited(Source("a.py", text, "utf-8"), edits) == (
        '"""Doc."""\r\nimport os\r\nimport c\r\nfrom a import b\r\n\r\nif 1:\r\n\tx = new(\r\n1), new(2)\r\n'
    )


def test_a_block_in_the_place_of_a_statement_is_indented_as_that_was_but_its_strings() -> None:
    text = "class T:\n\tdef f(self):\n\t\tassert_raises(E, g)  # why\n"
    (found,) = sites_of(Raises(), text)
    code = 'with raises(E):\n    g("""a\nb""")'
    assert edited(Source("a.py", text, "utf-8"), [Edit(found, code)]) == (
        'class T:\n\tdef f(self):\n\t\twith raises(E):\n\t\t    g("""a\nb""")  # why\n'
    )


def test_an_expression_is_one_over_as_many_lines_as_it_takes() -> None:
    assert expression_of("a\n+ b") is not None
    assert expression_of("a; b") is None
