"""What a formatting does is known without running it, and formats that differ on a plain value differ."""

import ast

import pytest

from maker_graph.tasks.migrate.forms import form_of, is_lookup, outcome, shape, why_not


def tree(code: str) -> ast.expr:
    return ast.parse(code, mode="eval").body


def differ(before: str, after: str, **kinds: str) -> str | None:
    old, new = form_of(tree(before)), form_of(tree(after))
    assert old is not None
    assert new is not None
    every = frozenset(kinds.values())
    return why_not(old, new, lambda _: every) if kinds else why_not(old, new)


SAME = [
    ("'%s' % (x,)", "f'{x!s}'"),
    ("'%s' % (x,)", "f'{x}'"),
    ("'a %s, %r' % (x, y)", "f'a {x}, {y!r}'"),
    ("'%5s|%-5s|%.2s' % (x, y, z)", "f'{x!s:>5}|{y!s:<5}|{z!s:.2}'"),
    ("'%5.2f' % (x,)", "f'{x:5.2f}'"),
    ("'100%% of {%s}' % (x,)", "f'100% of {{{x}}}'"),
    ("'%(a)s %(b)s' % {'a': x, 'b': y}", "f'{x} {y}'"),
    ("'%(a)s' % d", "f\"{d['a']}\""),
    ("'{} {!r:>4}'.format(x, y)", "f'{x} {y!r:>4}'"),
    ("'{a.b[0]}'.format(a=x)", "f'{x.b[0]}'"),
    ("'{0}{0}'.format(x)", "f'{x}{x}'"),
    ("'%a' % (x,)", "f'{x!a}'"),
]
OTHER = [
    ("'%s' % x", "f'{x}'"),
    ("'%d' % (x,)", "f'{x:d}'"),
    ("'%d' % (x,)", "f'{x}'"),
    ("'%i' % (x,)", "f'{int(x)}'"),
    ("'%r' % (x,)", "f'{x}'"),
    ("'%5s' % (x,)", "f'{x!s:5}'"),
    ("'%5s' % (x,)", "f'{x:>5}'"),
    ("'%-5d' % (x,)", "f'{x:5d}'"),
    ("'%s %s' % (x, y)", "f'{y} {x}'"),
    ("'%s%%' % (x,)", "f'{x}%%'"),
    ("'%s' % (x,)", "f'{x}.'"),
    ("'{0}{0}'.format(f())", "f'{f()}{f()}'"),
    ("'{1}{0}'.format(f(), g())", "f'{g()}{f()}'"),
    ("'%(a)s' % {'a': x, 'b': f()}", "f'{x}'"),
    ("'%c' % (x,)", "f'{x:c}'"),
    ("'%.3d' % (x,)", "f'{x:03d}'"),
]


@pytest.mark.parametrize(("before", "after"), SAME)
def test_forms_that_do_the_same_agree(before: str, after: str) -> None:
    assert differ(before, after) is None


@pytest.mark.parametrize(("before", "after"), OTHER)
def test_forms_that_differ_on_a_plain_value_or_in_what_is_evaluated_do_not(before: str, after: str) -> None:
    assert differ(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [("'%d' % (x,)", "f'{x:d}'"), ("'%05d' % (x,)", "f'{x:05d}'"), ("'%x' % (x,)", "f'{x:x}'"), ("'%s' % x", "f'{x}'")],
)
def test_of_an_int_that_is_known_more_can_be_done(before: str, after: str) -> None:
    assert differ(before, after, x="int") is None


@pytest.mark.parametrize(
    "code",
    ["'%*d' % (w, x)", "'%s %s' % (x,)", "'%s' % (*x,)", "'%(a)s %s' % x", "'%y' % x", "'%' % x", "b'%s' % x", "'{'.format(x)",
     "'{:{}}'.format(x, w)", "'{}'.format(*x)", "'{a}'.format(**x)", "f'{x:{w}}'", "'%99999999d' % x",
     "'{:99999999}'.format(x)", "'%(a)s' % f()", "'%(b)s' % {'a': x}", "'{2}'.format(x)", "x % y"],
)  # fmt: skip
def test_what_fails_or_depends_on_more_than_its_expressions_has_no_form(code: str) -> None:
    assert form_of(tree(code)) is None


def test_what_does_the_same_for_all_types_has_one_shape() -> None:
    shapes = [shape(form) for code in ("f'{x}'", "f'{x!s}'", "f'{x:}'", "f'{x!s:s}'") if (form := form_of(tree(code)))]
    assert shapes[0] == shapes[1] == shapes[2] == shapes[3]
    other = form_of(tree("f'{x!r}'"))
    assert other is not None
    assert shape(other) != shapes[0]


def test_a_tuple_that_is_taken_apart_is_no_text_of_it() -> None:
    assert outcome(("% alone", "%s"), "tuple") != outcome(("f", "", ""), "tuple")
    assert outcome(("%", "%s"), "tuple") == outcome(("f", "s", ""), "tuple")


def test_looking_up_is_no_call() -> None:
    assert all(is_lookup(tree(code)) for code in ("x", "x.y", "x[0]", "x['a'].b", "1"))
    assert not any(is_lookup(tree(code)) for code in ("f()", "x.y()", "x[f()]", "x + 1"))
