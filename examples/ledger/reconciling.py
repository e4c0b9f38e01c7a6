"""Totals, reconciled by code: the audit left out no entry, and the balances of the ledger agree with its entries.

The ledger is read once more and summed. The entries that the audit has tried must give the same sums: the number of entries,
and the amounts that were spent. Balances are worked out from the postings alone. More balance assertions need more
memory, but more entries do not.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from examples.ledger.reading import Balance, Entry, records

SHOWN = 10
"""The most wrong balances that are shown."""

Tried = Iterable[tuple[dict[str, Any], bool, bool]]
"""Each entry that was tried, whether it is open, and whether something was found in it."""


@dataclass(slots=True)
class Share:
    """Entries of one kind, and what was spent by them, by currency."""

    entries: int = 0
    spent: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))


class Wrong(NamedTuple):
    """A balance that does not hold.

    Attributes:
        asserted: the balance.
        off: the difference between the account and the balance.
        since: the difference at the balance before it.
    """

    asserted: Balance
    off: Decimal
    since: Decimal


@dataclass(slots=True)
class Reconciliation:
    """What adds up, and what does not.

    Attributes:
        whole: all entries of the ledger, from a second reading.
        shares: the entries that were tried, as "clean", "found" or "open".
        balances: how many balances the ledger asserts.
        wrong: the balances that do not hold.
    """

    whole: Share
    shares: dict[str, Share]
    balances: int
    wrong: list["Wrong"]

    @property
    def adds_up(self) -> bool:
        """Whether the entries that were tried are the whole ledger."""
        entries = sum(each.entries for each in self.shares.values())
        spent: dict[str, Decimal] = defaultdict(Decimal)
        for share in self.shares.values():
            for currency, amount in share.spent.items():
                spent[currency] += amount
        return entries == self.whole.entries and dict(spent) == dict(self.whole.spent)

    def text(self) -> str:
        """Return the reconciliation in words."""
        clean, found, still = (self.shares[name] for name in ("clean", "found", "open"))
        parts = f"{clean.entries:,} clean + {found.entries:,} with findings + {still.entries:,} open"
        lines = [f"{self.whole.entries:,} entries = {parts}."]
        for currency, amount in sorted(self.whole.spent.items()):
            parts = " + ".join(f"{share.spent[currency]:,}" for share in (clean, found, still))
            lines.append(f"Expenses: {amount:,} {currency} = {parts}.")
        lines.append(
            "They add up." if self.adds_up else "THEY DO NOT ADD UP: entries were left out, or the ledger has changed."
        )
        if self.balances:
            lines.append(f"{self.balances:,} balances are asserted, and {self.balances - len(self.wrong):,} hold.")
            arisen = [each for each in self.wrong if each.off != each.since]
            lines += [
                f"  line {each.line}: {each.account} is off by {off:,} {each.currency} on {each.day}, "
                f"{off - since:,} of it since the balance before."
                for each, off, since in arisen[:SHOWN]
            ]
            if len(arisen) > SHOWN:
                lines.append(f"  And at {len(arisen) - SHOWN:,} more the difference has changed.")
        return "\n".join(lines)


def reconcile(ledger: Path, tried: Tried) -> Reconciliation:
    """Return how the entries that were tried compare with the ledger, and how its balances compare with its entries.

    Raises:
        UsageError: the ledger cannot be read.
    """
    whole = Share()
    asserted: list[Balance] = [each for each in records(ledger) if isinstance(each, Balance)]
    balances = _Balances(asserted)
    for each in records(ledger):
        if isinstance(each, Entry):
            whole.entries += 1
            for posting in each.postings:
                balances.add(each, posting.account, posting.currency, posting.amount)
                if posting.account.startswith("Expenses:"):
                    whole.spent[posting.currency] += posting.amount
    shares = {name: Share() for name in ("clean", "found", "open")}
    for item, still_open, found in tried:
        share = shares["open" if still_open else "found" if found else "clean"]
        share.entries += 1
        for posting in item["postings"]:
            if posting["account"].startswith("Expenses:"):
                share.spent[posting["currency"]] += Decimal(posting["amount"])
    return Reconciliation(whole, shares, len(asserted), balances.wrong())


class _Balances:
    """Sums the postings between balances: each posting counts for the first balance that follows it."""

    def __init__(self, asserted: Iterable[Balance]) -> None:
        self._by_account: dict[tuple[str, str], list[Balance]] = defaultdict(list)
        for each in sorted(asserted, key=lambda balance: balance.day):
            self._by_account[each.account, each.currency].append(each)
        self._days = {key: [each.day for each in those] for key, those in self._by_account.items()}
        self._sums = {key: [Decimal(0)] * (len(those) + 1) for key, those in self._by_account.items()}

    def add(self, entry: Entry, account: str, currency: str, amount: Decimal) -> None:
        """Count a posting for its account, and for the accounts above it."""
        parts = account.split(":")
        for depth in range(1, len(parts) + 1):
            key = ":".join(parts[:depth]), currency
            if key in self._days:
                self._sums[key][bisect_right(self._days[key], entry.day)] += amount

    def wrong(self) -> list[Wrong]:
        """Return the balances that do not hold, by their lines."""
        found = []
        for key, those in self._by_account.items():
            worth, since = Decimal(0), Decimal(0)
            for balance, amount in zip(those, self._sums[key], strict=False):
                worth += amount
                off = worth - balance.amount
                if abs(off) > Decimal(1).scaleb(int(balance.amount.as_tuple().exponent)):  # twice an entry's, as in beancount
                    found.append(Wrong(balance, off, since))
                since = off
        return sorted(found, key=lambda each: each.asserted.line)
