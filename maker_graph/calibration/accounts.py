"""The shared limits of several calibrations that are made one after the other."""

from collections.abc import Sequence

from maker_graph.core.spending import Account
from maker_graph.run.account import Limits


def left(limits: Limits, accounts: Sequence[Account]) -> Limits:
    """Return what may still be spent on one file, after what the other files have spent."""
    if not accounts:
        return limits
    gone = together(accounts)
    cost, calls = gone.spent.cost + gone.unsettled.cost, gone.spent.calls + gone.unsettled.calls
    return Limits(
        None if limits.cost is None else max(0.0, limits.cost - cost),
        None if limits.calls is None else max(0, limits.calls - calls),
        None if limits.minutes is None else max(0.0, limits.minutes - gone.spent.seconds / 60),
    )


def together(accounts: Sequence[Account]) -> Account:
    """Return the account of several files."""
    first, *others = accounts
    for other in others:
        first = first._replace(spent=first.spent.plus(other.spent), unsettled=first.unsettled.plus(other.unsettled))
    return first
