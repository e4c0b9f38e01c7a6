"""The type of an expression is known only if each place that sets it is understood."""

import ast

import pytest

from maker_graph.tasks.migrate.forms import KINDS
from maker_graph.tasks.migrate.kinds import kinds_of, known_in


def kinds(code: str, function: str = "") -> frozenset[str]:
    return kinds_of(ast.parse(code, mode="eval").body, known_in(function))


@pytest.mark.parametrize(
    ("code", "found"),
    [("1", {"int"}), ("True", {"bool"}), ("None", {"none"}), ("len(x)", {"int"}), ("len(x) + 1", {"int"}), ("str(x)", {"str"}),
     ("', '.join(x)", {"str"}), ("f'{x}'", {"str"}), ("'%s' % x", {"str"}), ("x.__name__", {"str"}), ("(1, 2)", {"tuple"}),
     ("1 if x else 'a'", {"int", "str"}), ("not x", {"bool"}), ("repr(x).strip()", {"str"}), ("x", KINDS), ("x()", KINDS),
     ("len(x) / 2", KINDS), ("x.join(y)", KINDS), ("x == y", KINDS), ("1 + x", KINDS)],
)  # fmt: skip
def test_an_expression_may_say_its_type(code: str, found: set[str]) -> None:
    assert kinds(code) == found


@pytest.mark.parametrize(
    ("function", "found"),
    [
        ("def f(x: int): pass", {"int", "bool"}),
        ("def f(x: str): pass", {"str"}),
        ("def f(x: 'str'): pass", KINDS),
        ("def f(x): pass", KINDS),
        ("def f():\n    x = len(y)", {"int"}),
        ("def f():\n    x = 0\n    x += 1", {"int"}),
        ("def f():\n    x = 0\n    x = g()", KINDS),
        ("def f():\n    x = 0\n    x += g()", KINDS),
        ("def f():\n    x = 0\n    for x in y: pass", KINDS),
        ("def f():\n    for x in range(3): pass", {"int"}),
        ("def f():\n    for x, y in enumerate(z): pass", {"int"}),
        ("def f():\n    try: pass\n    except E as x: pass", {"object"}),
        ("def f(x: int):\n    (x, y) = z", KINDS),
        ("def f(x: int):\n    x: str = 1", KINDS),
        ("def f(x: int):\n    with g() as x: pass", KINDS),
        ("def f(x: int):\n    import x", KINDS),
        ("def f(x: int):\n    global x", KINDS),
        ("def f(x: int):\n    g(x := y)", KINDS),
        ("def f(x: int):\n    def g(x): pass", KINDS),
        ("def f():\n    len = g\n    x = len(y)", KINDS),
        ("def f(range):\n    for x in range(3): pass", KINDS),
    ],
)
def test_a_name_is_known_if_all_that_sets_it_is(function: str, found: set[str]) -> None:
    assert kinds("x", function) == found


def test_a_name_of_no_function_is_not_known() -> None:
    assert known_in("") == known_in("class A: pass") == {}
