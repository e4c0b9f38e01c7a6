"""The limits of several calibrations that are made together."""

from maker_graph.calibration.accounts import left, together
from maker_graph.core.spending import Account, Reserved, Spent
from maker_graph.run.account import Limits

ONE = Account(spent=Spent(cost=1.0, calls=10, seconds=60.0), unsettled=Reserved(0.5, 2))


def test_what_the_others_have_spent_or_may_have_spent_is_taken_off_each_limit() -> None:
    assert left(Limits(5.0, 100, 9.0), [ONE, ONE]) == Limits(2.0, 76, 7.0)
    assert left(Limits(cost=2.0), [ONE, ONE]) == Limits(cost=0.0)
    assert left(Limits(5.0), []) == Limits(5.0)


def test_the_account_of_all_is_the_sum() -> None:
    both = together([ONE, ONE])
    assert (both.spent.calls, both.spent.cost, both.unsettled) == (20, 2.0, Reserved(1.0, 4))
