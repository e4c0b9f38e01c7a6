"""An f-string is written as the site is, or not at all."""

import pytest

from maker_graph.tasks.migrate.percent import Percent, right
from tests.tasks.migrate.trees import sites_of


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("'a %s' % (x,)", "f'a {x!s}'"),
        ('"""%s\n%r""" % (x, y)', 'f"""{x!s}\n{y!r}"""'),
        ("r'\\d%s' % (x,)", "fr'\\d{x!s}'"),
        ("u'%s\\n' % (x,)", "f'{x!s}\\n'"),
        ("'{%s} %%' % (x,)", "f'{{{x!s}}} %'"),
        ("('a %s'\n 'b%% '\n '%s' % (x, y))", "f'a {x!s}'\n 'b% '\n f'{y!s}'"),
        ("'%s' % (d['a'],)", "f\"{d['a']!s}\""),
        ("'%(a)s' % {'a': x}", "f'{x!s}'"),
        ("'%(a)s' % d", "f\"{d['a']!s}\""),
        ("'%5s%-6r' % (x, y)", "f'{x!s:>5}{y!r:<6}'"),
        ("'%05d' % len(x)", "f'{len(x):05d}'"),
        ("'%+.2e' % (x,)", "f'{x:+.2e}'"),
        ("'\\N{DASH}%s' % (x,)", None),
        ("'\\N{EM DASH}%s' % (x,)", "f'\\N{EM DASH}{x!s}'"),
        ("'{} {{}} {!r}'.format(x, y)", "f'{x} {{}} {y!r}'"),
        ("('a {}'\n 'b').format(x)", "(f'a {x}'\n 'b')"),
        ("'%s' % ({1: 2},)", "f'{ {1: 2}!s}'"),
        ("'%s' % (lambda: 1,)", "f'{(lambda: 1)!s}'"),
        ("'%s %s' % (x, '\\n')", None),
        ("'%s \"' % (d['a'],)", None),
        ("'%s' % (x,  # why\n)", None),
        ("'%s' % x", None),
        ("'%d' % (x,)", None),
    ],
)
def test_what_is_sure_is_written_and_nothing_else(code: str, written: str | None) -> None:
    sites = sites_of(Percent(), f"y = {code}\n")
    if "\\N{DASH}" in code:  # no such character: it is not Python
        assert not sites
        return
    assert right(sites[0]) == written


def test_from_python_3_12_on_quotes_may_be_nested() -> None:
    (site,) = sites_of(Percent(), "y = '%s \"' % (d['a'],)\n", (3, 12))
    site["target"] = [3, 12]
    written = right(site)
    assert written in {None, "f'{d['a']!s} \"'"}, "an older Python cannot read it, so it does not write it"
