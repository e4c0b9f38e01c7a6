"""What requests used up: sums lose nothing, and an account is stored and read back whole."""

from maker_graph.core.spending import NONE, NOTHING, Account, Reserved, Spent

SPENT = Spent(cost=1.5, seconds=2.0, calls=3, samples=2, input=10, cached=4, output=6, drafts=1, unpriced=1)


def test_each_figure_is_added_to_its_own() -> None:
    assert SPENT.plus(NOTHING) == SPENT
    assert SPENT.plus(SPENT) == Spent._make(2 * figure for figure in SPENT)
    assert Reserved(0.5, 2).plus(Reserved(0.25, 1)) == Reserved(0.75, 3)


def test_an_account_is_read_back_as_it_was_stored() -> None:
    account = Account(7, SPENT, Reserved(0.5, 2), Reserved(0.1, 1), serial=9)
    assert Account.of(account.parts()) == account


def test_an_account_of_the_first_form_has_no_serial() -> None:
    account = Account(7, SPENT, NONE, NONE)
    assert len(account.parts()) == 4
    assert Account.of(account.parts()) == account


def test_an_account_that_covers_another_has_no_less_of_anything_and_keeps_its_steps() -> None:
    one = Account(3, Spent(cost=1.0, calls=9), Reserved(2.0, 1), serial=4)
    other = Account(8, Spent(cost=2.0, calls=5), Reserved(1.0, 6), Reserved(0.5, 1), serial=2)
    assert one.covering(other) == Account(3, Spent(cost=2.0, calls=9), Reserved(2.0, 6), Reserved(0.5, 1), serial=4)
