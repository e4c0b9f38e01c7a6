"""A ledger in beancount's text format, read line by line.

`records` yields the entries and the balance assertions of a file in their order, and holds one of them at a time. `Entries` is
the list of entries that an `Items` task needs: it finds each entry again by its place in the file. It keeps an index of all
entries in a temporary database on the disk, so a long ledger needs no more memory than a short one.

An audit needs transactions and balances, so only these are read. Accounts, prices, options, notes and the like are
passed over. A line that cannot be read is an error with the number of the line. Nothing is guessed.
"""

import re
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from maker_graph import UsageError

PASSED_OVER = {"open", "close", "price", "commodity", "event", "option", "note", "document", "query", "custom", "plugin"}
"""Directives that affect no sum and no rule."""

NEAR = 20
"""The most earlier entries of the same payee that are kept with an entry."""

REMEMBERED = 512
"""The most entries that are kept in memory. Others are read again when they are needed."""

_DATED = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)\s+(\S+)\s*(.*)")
_TEXTS = re.compile(r'"((?:[^"\\]|\\.)*)"')
_TAG = re.compile(r"#([\w/.-]+)")
_AMOUNT = r"([-+]?[\d,]*\.?\d+|[-+]?[\d,]+\.)\s+([A-Z][A-Z0-9'._-]*)"
_BALANCE = re.compile(rf"([A-Z][\w:-]+)\s+{_AMOUNT}$")
_POSTING = re.compile(
    rf"(?:[!*]\s+)?([A-Z][\w-]*(?::[\w-]+)+)(?:\s+{_AMOUNT})?(?:\s*(\{{.*?\}}\}}?))?(?:\s*(@@?)\s*{_AMOUNT})?$"
)
_COST = re.compile(rf"(\{{\{{?)\s*{_AMOUNT}\s*(?:,[^{{}}#]*)?\}}\}}?$")
_META = re.compile(r"[a-z][\w-]*:")


_TABLE = "CREATE TABLE entry (number INTEGER PRIMARY KEY, place INTEGER, line INTEGER, day INTEGER, payee TEXT, says INTEGER)"
_BEFORE = "day >= ? AND (day < ? OR (day = ? AND line < ?)) ORDER BY day DESC, line DESC"
_NEAR = f"SELECT place, line FROM entry WHERE payee = ? AND {_BEFORE} LIMIT ?"  # noqa: S608  both are written here
_TWIN = f"SELECT place, line FROM entry WHERE says = ? AND {_BEFORE}"  # noqa: S608  both are written here


class Posting(NamedTuple):
    """One posting of an entry.

    Attributes:
        account: the account of the posting.
        amount: the amount, in units of `currency`; worked out from the others if the entry leaves it out.
        currency: the currency of the amount.
        weight: the amount that counts in the sum of the entry, with its cost or price; None if the cost is not known.
        weighed_in: the currency of the weight.
    """

    account: str
    amount: Decimal
    currency: str
    weight: Decimal | None
    weighed_in: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction. `line` is the number of its first line, from 1, and `offset` where that line begins, in bytes."""

    line: int
    offset: int
    day: date
    payee: str
    narration: str
    tags: tuple[str, ...]
    postings: tuple[Posting, ...]


class Balance(NamedTuple):
    """The amount that an account, with the accounts under it, must hold at the beginning of a day."""

    line: int
    day: date
    account: str
    amount: Decimal
    currency: str


class _Line(NamedTuple):
    number: int
    offset: int
    text: str


def records(path: Path) -> Iterator[Entry | Balance]:
    """Yield the entries and balances of the ledger at `path` in the order of the file.

    Raises:
        UsageError: it cannot be read; the text names the line.
    """
    with opened(path) as file:
        block: list[_Line] = []
        for line in _lines(file, path):
            if _indented(line.text):
                block += [line] if block else []  # else it belongs to a directive that is passed over
                continue
            if block:
                yield _entry(block, path)
            block = []
            if (directive := _DATED.match(line.text)) is None:
                _see_passed(line, path)
            elif directive[4] in {"*", "!", "txn"}:
                block = [line]
            elif directive[4] == "balance":
                yield _balance(line, directive, path)
            elif directive[4] not in PASSED_OVER:
                raise _error(path, line.number, f"this directive is not known to the audit: {directive[4]}")
        if block:
            yield _entry(block, path)


def opened(path: Path) -> BinaryIO:
    """Return the ledger, open.

    Raises:
        UsageError: it cannot be opened.
    """
    try:
        if not path.is_file():
            raise UsageError(f"{path} is not a file: give the ledger as a regular file.")
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None


def _lines(file: BinaryIO, path: Path, offset: int = 0, number: int = 1) -> Iterator[_Line]:
    file.seek(offset)
    for raw in file:
        try:
            yield _Line(number, offset, raw.decode().rstrip("\r\n"))
        except UnicodeDecodeError:
            raise _error(path, number, "this is not UTF-8") from None
        offset += len(raw)
        number += 1


def _indented(text: str) -> bool:
    return text[:1] in {" ", "\t"} and bool(text.strip())


def _error(path: Path, line: int, what: str) -> UsageError:
    return UsageError(f"{path}, line {line}: {what}. Mend the ledger, and begin again.")


def _see_passed(line: _Line, path: Path) -> None:
    """Make sure that a line without a date affects no sum.

    Raises:
        UsageError: it may affect one.
    """
    word = line.text.split(maxsplit=1)[0] if line.text.strip() else ""
    if word == "include":
        raise _error(path, line.number, "other files are not followed: put the ledger into one file")
    if word and word[0] not in ";*#:!&%" and word not in {*PASSED_OVER, "pushtag", "poptag", "pushmeta", "popmeta"}:
        raise _error(path, line.number, "this is not a line of a ledger")


def _number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def _day(found: re.Match[str], path: Path, line: int) -> date:
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise _error(path, line, "there is no such day") from None


def _balance(line: _Line, directive: re.Match[str], path: Path) -> Balance:
    found = _BALANCE.match(_without_comment(directive[5]))
    if found is None:
        raise _error(path, line.number, "this balance names no account and amount")
    return Balance(line.number, _day(directive, path, line.number), found[1], _number(found[2]), found[3])


def _without_comment(text: str) -> str:
    return text.partition(";")[0].strip()


def _entry(block: Sequence[_Line], path: Path) -> Entry:
    """Return the entry in these lines.

    Raises:
        UsageError: they are not an entry.
    """
    first, *others = block
    found = _DATED.match(first.text)
    assert found is not None  # noqa: S101  `records` has matched this line already
    texts = _TEXTS.findall(found[5])
    if '"' in _TEXTS.sub("", found[5]).partition(";")[0]:
        raise _error(path, first.number, "a text does not end on this line")
    if len(texts) > 2:
        raise _error(path, first.number, "an entry has a payee and a narration, and no more texts")
    payee, narration = texts if len(texts) == 2 else ("", *texts) if texts else ("", "")
    postings = _worked_out([_posting(line, path) for line in others if not _beside(line.text.strip())], first, path)
    return Entry(
        first.number,
        first.offset,
        _day(found, path, first.number),
        payee,
        narration,
        tuple(_TAG.findall(_TEXTS.sub("", found[5]))),
        tuple(postings),
    )


def _worked_out(read: list[Posting | str], first: _Line, path: Path) -> list[Posting]:
    """Return the postings of an entry. One that is only an account gets the amount that balances the others.

    Raises:
        UsageError: this amount cannot be worked out.
    """
    known = [each for each in read if isinstance(each, Posting)]
    if len(known) == len(read):
        return known
    currencies = {each.weighed_in for each in known}
    if len(read) - len(known) > 1 or len(currencies) != 1 or "" in currencies:
        raise _error(path, first.number, "an amount is left out, and cannot be worked out from the others")
    (currency,) = currencies
    rest = -sum((each.weight for each in known if each.weight is not None), Decimal(0))
    return [each if isinstance(each, Posting) else Posting(each, rest, currency, rest, currency) for each in read]


def _beside(text: str) -> bool:
    """Say whether an indented line is a comment, or a remark that affects no sum."""
    return text[:1] in {";", "#", "^"} or _META.match(text) is not None


def _posting(line: _Line, path: Path) -> Posting | str:
    """Return the posting in a line, or only its account if the amount is left out."""
    found = _POSTING.match(_without_comment(line.text))
    if found is None:
        raise _error(path, line.number, "this posting cannot be read")
    account, amount, currency, cost, at, price, priced_in = found.groups()
    if amount is None:
        return str(account)
    units = _number(amount)
    if cost is not None:
        read = _COST.match(cost)
        if read is None:
            return Posting(account, units, currency, None, "")  # a cost that is looked up elsewhere
        total = _number(read[2]).copy_sign(units) if read[1] == "{{" else units * _number(read[2])
        return Posting(account, units, currency, total, read[3])
    if at is not None:
        total = _number(price).copy_sign(units) if at == "@@" else units * _number(price)
        return Posting(account, units, currency, total, priced_in)
    return Posting(account, units, currency, units, currency)


def as_json(entry: Entry) -> dict[str, Any]:
    """Return an entry as plain JSON. Amounts are texts, so no digit is lost."""
    return {
        "line": entry.line,
        "date": entry.day.isoformat(),
        "payee": entry.payee,
        "narration": entry.narration,
        "tags": list(entry.tags),
        "postings": [
            {
                "account": each.account,
                "amount": str(each.amount),
                "currency": each.currency,
                "weight": None if each.weight is None else str(each.weight),
                "weighed_in": each.weighed_in,
            }
            for each in entry.postings
        ],
    }


class Entries(Sequence[Any]):
    """The entries of a ledger as items: plain JSON, each with earlier entries that may belong to it.

    `near` has the earlier entries of the same payee, the nearest first. `twin` is an earlier entry with the same payee,
    narration and postings, or None. The file is read once when the first item is asked for. It must not change while
    the list is used.
    """

    def __init__(self, path: Path, *, near: int, twins: int) -> None:
        """Prepare the list; the file is not read yet.

        Args:
            path: the ledger.
            near: entries of the same payee up to this many days before an entry are near.
            twins: an entry with the same content, up to this many days before, is a twin.
        """
        self._path = path
        self._near = near
        self._twins = twins
        self._index: sqlite3.Connection | None = None
        self._file: BinaryIO | None = None
        self._length = 0
        self._read = lru_cache(REMEMBERED)(self._read_at)

    def _known(self) -> sqlite3.Connection:
        """Return the index, which is made on the first call. SQLite keeps it in a temporary file, and deletes that."""
        if self._index is None:
            index = sqlite3.connect("", check_same_thread=False, isolation_level=None)
            index.execute("PRAGMA journal_mode = OFF")
            index.execute(_TABLE)
            index.execute("BEGIN")
            self._length = 0
            index.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", self._rows())
            index.execute("CREATE INDEX near ON entry (payee, day)")
            index.execute("CREATE INDEX same ON entry (says, day)")
            index.execute("COMMIT")
            self._file = opened(self._path)
            self._index = index
            for each in (self._file, self._index):
                weakref.finalize(self, each.close)
        return self._index

    def _rows(self) -> Iterator[tuple[int, int, int, int, str, int]]:
        for each in records(self._path):
            if isinstance(each, Entry):
                says = hash((each.payee, each.narration, each.postings))
                yield self._length, each.offset, each.line, each.day.toordinal(), each.payee, says
                self._length += 1

    def __len__(self) -> int:
        self._known()
        return self._length

    def __getitem__(self, number: Any) -> Any:
        index = self._known()
        row = index.execute("SELECT place, line, day, payee, says FROM entry WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise IndexError(number)
        place, line, day, payee, says = row
        entry = self._read(place, line)
        near = index.execute(_NEAR, (payee, day - self._near, day, day, line, NEAR)) if payee else ()
        twins = index.execute(_TWIN, (says, day - self._twins, day, day, line))
        same = (each for each in (self._read(*found) for found in twins) if _says(each) == _says(entry))
        return {**entry, "near": [self._read(*each) for each in near], "twin": next(same, None)}

    def _read_at(self, place: int, line: int) -> dict[str, Any]:
        assert self._file is not None  # noqa: S101  the index was made
        block: list[_Line] = []
        for each in _lines(self._file, self._path, place, line):
            if block and not _indented(each.text):
                break
            block.append(each)
        return as_json(_entry(block, self._path))


def _says(entry: dict[str, Any]) -> tuple[Any, ...]:
    """Return the parts of an entry that must be the same in its twin."""
    return entry["payee"], entry["narration"], entry["postings"]
