"""What the program decides about an entry, and which rules in prose are left to a vote."""

import tomllib
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from maker_graph import UsageError

PROGRAM = ("sum", "duplicate", "limit", "weekend")
"""The rules that a program decides."""


class Finding(NamedTuple):
    """A rule that an entry breaks, and what shows it."""

    rule: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of an audit, as a file gives them.

    Attributes:
        card: the account of the company card.
        limit: the most that may be paid with it at a time.
        duplicate_days: how many days apart two equal payments are a duplicate.
        split_days: how many days apart two payments may be parts of one that was split.
        contracts: payee -> the account on which entries of this payee need no vote.
        prose: name -> the rule in words.
    """

    card: str
    limit: Decimal
    duplicate_days: int
    split_days: int
    contracts: dict[str, str]
    prose: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> "Rules":
        """Return the rules in the file at `path`.

        Raises:
            UsageError: the file cannot be read, or a rule is missing.
        """
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8"))
            program = said["program"]
            rules = cls(
                str(program["card"]),
                Decimal(str(program["limit"])),
                int(program["duplicate_days"]),
                int(program["split_days"]),
                {str(payee): str(account) for payee, account in said.get("contracts", {}).items()},
                {str(name): str(text) for name, text in said.get("prose", {}).items()},
            )
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
        except KeyError as error:
            raise UsageError(f"{path} has no {error}: see examples/ledger/rules.toml.") from None
        except (ValueError, ArithmeticError, AttributeError, TypeError) as error:
            raise UsageError(f"{path} holds no rules ({error}): see examples/ledger/rules.toml.") from None
        if clash := {*PROGRAM, "none"} & set(rules.prose):
            raise UsageError(f"{path}: a rule in prose is named {min(clash)!r}, which has another meaning: name it otherwise.")
        return rules

    def findings(self, entry: dict[str, Any]) -> list[Finding]:
        """Return the rules that the entry breaks, among the rules that a program decides."""
        found = [self._sum(entry), self._duplicate(entry), self._limit(entry), self._weekend(entry)]
        return [each for each in found if each is not None]

    def asked(self, entry: dict[str, Any]) -> list[str]:
        """Return the names of the rules in prose that are voted on for this entry; empty if none applies."""
        spent = accounts(entry, "Expenses:")
        if not spent or accounts(entry, "Income:") or not entry["payee"]:
            return []
        if entry["payee"] in self.contracts and spent == [self.contracts[entry["payee"]]]:
            return []
        with_card = self.paid(entry) > 0
        asked = {"private": with_card, "split": with_card and bool(self.parts(entry))}
        return [name for name in self.prose if asked.get(name, True)]

    def paid(self, entry: dict[str, Any]) -> Decimal:
        """Return the amount that was paid with the card; 0 if the card was not used, or money came back."""
        amounts = (Decimal(each["amount"]) for each in entry["postings"] if each["account"] == self.card)
        return max(-sum(amounts, Decimal(0)), Decimal(0))

    def parts(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        """Return earlier payments that exceed the limit only together with this one; empty if they do not."""
        own = self.paid(entry)
        near = [each for each in entry["near"] if 0 < self.paid(each) <= self.limit]
        if own == 0 or own > self.limit or own + sum(self.paid(each) for each in near) <= self.limit:
            return []
        return near

    def _sum(self, entry: dict[str, Any]) -> Finding | None:
        off = imbalance(entry)
        if not off:
            return None
        return Finding(
            "sum", "its postings do not add up: " + ", ".join(f"{each} {name}" for name, each in sorted(off.items()))
        )

    def _duplicate(self, entry: dict[str, Any]) -> Finding | None:
        twin = entry["twin"]
        return None if twin is None else Finding("duplicate", f"the same as line {twin['line']} of {twin['date']}")

    def _limit(self, entry: dict[str, Any]) -> Finding | None:
        paid = self.paid(entry)
        return Finding("limit", f"{paid} paid with the card, and the limit is {self.limit}") if paid > self.limit else None

    def _weekend(self, entry: dict[str, Any]) -> Finding | None:
        """Return a finding if a transfer between own accounts, or a salary, is not on a working day."""
        day = date.fromisoformat(entry["date"])
        moved = all(each["account"].startswith("Assets:") for each in entry["postings"])
        salary = any(each["account"].endswith(":Salary") for each in entry["postings"])
        return Finding("weekend", f"{entry['date']} is a {day:%A}") if (moved or salary) and day.weekday() > 4 else None


def imbalance(entry: dict[str, Any]) -> dict[str, Decimal]:
    """Return the sum of the postings of an entry, by currency; empty if they add up to zero, or if a cost is not known.

    The tolerance is half of the last digit in which the amounts of a currency are written, as in beancount.
    """
    sums: dict[str, Decimal] = defaultdict(Decimal)
    digits: dict[str, int] = {}
    for each in entry["postings"]:
        if each["weight"] is None:
            return {}  # a cost that is looked up elsewhere
        sums[each["weighed_in"]] += Decimal(each["weight"])
        if each["currency"] == each["weighed_in"]:
            exponent = -int(Decimal(each["amount"]).as_tuple().exponent)
            digits[each["currency"]] = min(digits.get(each["currency"], exponent), exponent)
    return {name: each for name, each in sums.items() if abs(each) > Decimal(5).scaleb(-digits.get(name, 2) - 1)}


def accounts(entry: dict[str, Any], root: str) -> list[str]:
    """Return the accounts of an entry that begin with `root`."""
    return [each["account"] for each in entry["postings"] if each["account"].startswith(root)]
