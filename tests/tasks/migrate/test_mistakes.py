"""The mistakes that are rehearsed are mistakes."""

import pytest

from maker_graph.errors import Invalid
from maker_graph.tasks.migrate import LEAVE
from maker_graph.tasks.migrate.percent import Percent
from tests.tasks.migrate.trees import sites_of


@pytest.mark.parametrize(
    "code", ["'%s' % x", "'%d' % (x,)", "'a %s %r %%' % (x, y)", "'%5s' % (x,)", "'{} {!r}'.format(x, y)", "'%s' % (x,)"]
)
def test_each_is_refused_by_the_rule_and_there_is_one(code: str) -> None:
    rule = Percent()
    (site,) = sites_of(rule, f"y = {code}\n")
    right, wrong = rule.rehearse(site)
    assert wrong
    for reply in wrong:
        if reply != LEAVE:
            with pytest.raises(Invalid):
                rule.check(site, reply.split("\n")[1])
    assert right == LEAVE or rule.check(site, right.split("\n")[1])
