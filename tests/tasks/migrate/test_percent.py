"""The rule that ships: which sites it finds, and which edits it takes."""

import pytest

from maker_graph.errors import Invalid
from maker_graph.tasks.migrate import LEAVE
from maker_graph.tasks.migrate.percent import Percent
from tests.tasks.migrate.trees import sites_of


@pytest.mark.parametrize(
    "code",
    ["_('%s' % x)", "gettext('%s' % x)", "self.ngettext('%s' % x, 'b', 2)", "log.info('%s', x)", "b'%s' % x", "x % y", "7 % 3",
     "_('%s') % x", "f'%s' % x", "'%*d' % (w, x)", "'abc'.join(x)", "x.format(1)", "'%s %s' % (x,)"],
)  # fmt: skip
def test_what_is_translated_logged_or_no_formatting_is_no_site(code: str) -> None:
    assert not sites_of(Percent(), f"y = {code}\n")


def test_a_site_inside_an_f_string_must_fit_its_quotes() -> None:
    (site,) = sites_of(Percent(), "def f(n: int):\n    return f'{\"%s\" % (n,)} b'\n")
    assert site["code"] == '"%s" % (n,)'
    assert Percent().given(site) == 'f"{n!s}"'


def test_of_a_formatting_inside_another_the_outer_one_is_asked_first() -> None:
    (site,) = sites_of(Percent(), "y = '%s %s' % ('%d' % n, m)\n")
    assert Percent().given(site) == """f"{'%d' % n} {m!s}\""""


def test_several_right_forms_are_one_vote_and_wrong_ones_are_others() -> None:
    key = Percent().key
    assert key("f'{x}, {y!r}'") == key('f"{x!s}, {y!r}"') == key("(f'{x:}, '\nf'{y!r}')")
    assert len({str(key(code)) for code in ("f'{x}'", "f'{x!r}'", "f'{y}'", "f'{x} '", "f'{x:>3}'", "g(x)")}) == 6


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("f'{a} {b!r}'", None),
        ("f'{a!s} {b!r}'", None),
        ("f'{b} {a!r}'", "an expression differs"),
        ("f'{a} {b}'", "formatted in another way"),
        ("f'{a}  {b!r}'", "the text"),
        ("f'{a}'", "1 expressions, but the site has 2"),
        ("f'{a} {b!r:{c}}'", "nested widths"),
        ("'%s %r' % (b, a)", "not an f-string"),
        ("'{} {!r}'.format(a, b)", "not an f-string"),
        ("f'{a()} {b!r}'", "an expression differs"),
    ],
)
def test_an_edit_is_an_f_string_that_does_the_same(code: str, why: str | None) -> None:
    (site,) = sites_of(Percent(), "y = '%s %r' % (a, b)\n")
    if why is None:
        assert Percent().check(site, code)
        return
    with pytest.raises(Invalid, match=why):
        Percent().check(site, code)


def test_where_nobody_knows_the_type_the_site_stays_as_it_is() -> None:
    (site,) = sites_of(Percent(), "def f(n):\n    return '%d' % n\n")
    assert Percent().given(site) is None
    assert Percent().truth(site) == LEAVE
    with pytest.raises(Invalid, match="if it is of type float"):
        Percent().check(site, "f'{n:d}'")
    (known,) = sites_of(Percent(), "def f(n: int):\n    return '%d' % n\n")
    assert Percent().given(known) == "f'{n:d}'"


def test_the_words_tell_of_nested_quotes_where_python_is_old() -> None:
    (site,) = sites_of(Percent(), "'%s' % x\n")
    assert "its own quotes" in Percent().prompt(site)
    assert "its own quotes" not in Percent().prompt({**site, "target": [3, 12]})


@pytest.mark.parametrize(
    "code",
    [
        "def f(*x: str):\n    return '%s' % x",
        "def f(**x: int):\n    return '%d' % x",
        "def f(a: int, b='%d' % a):\n    return b",
        "@g('%d' % x)\ndef f(x: int): ...",
        "def f():\n    def g(x: int): return x\n    return '%d' % x",
        "def f():\n    class A:\n        x = 1\n    return '%d' % x",
        "def f(x):\n    return '%-20s' % x.__module__",
        "from a import hex\ndef f(x):\n    return '%s' % hex(x)",
        "from a import *\ndef f(x):\n    return '%s' % hex(x)",
        "from a import int\ndef f(x: int):\n    return '%d' % x",
        "def f(len):\n    def g(x):\n        return '%d' % len(x)",
        "def enumerate(x): ...\ndef f():\n    for x, y in enumerate(z):\n        return '%d' % x",
        "class A:\n    def f(self):\n        return '{0.__x}'.format(self)",
    ],
)
def test_a_type_of_another_scope_or_of_a_replaced_builtin_is_not_sure(code: str) -> None:
    assert [Percent().given(site) for site in sites_of(Percent(), f"{code}\n")] in ([], [None])


def test_a_parameter_may_have_its_default_whatever_its_annotation_says() -> None:
    (site,) = sites_of(Percent(), "def f(x: str = None):\n    return '%9s' % x\n")
    assert Percent().given(site) == "f'{x!s:>9}'"


@pytest.mark.parametrize("field", ["{0[²]}", "{²}", "{0[]}", "{0[" + "9" * 5000 + "]}", "{" + "9" * 5000 + "}"])
def test_a_number_that_python_takes_for_none_stops_no_search(field: str) -> None:
    for site in sites_of(Percent(), f"y = '{field}'.format(x)\n"):
        assert Percent().given(site) in {None, "f'{x[\"²\"]}'", "f\"{x['²']}\""}


@pytest.mark.parametrize("code", ["'%s %s' % (x, x.pop())", "'{} {}'.format(x.y, g(x.y.pop(0)))"])
def test_what_a_later_expression_changes_is_not_formatted_before(code: str) -> None:
    (site,) = sites_of(Percent(), f"z = {code}\n")
    assert Percent().given(site) is None
    (other,) = sites_of(Percent(), "z = '%s %s' % (x.pop(), x)\n")
    assert Percent().given(other) == "f'{x.pop()!s} {x!s}'"
