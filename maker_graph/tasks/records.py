"""Messy records to normalised columns, one row at a time: a task whose steps do not depend on each other.

Each row has a free-text `address`, `date` and `amount`; the answer holds `street`, `house_number`, `postcode`, `city`, `date`
(ISO 8601), `amount` (two decimals) and `currency` (ISO 4217). A row on which no answer wins is left open and goes to a person;
the run goes on.

Answers end in a CSV file that someone opens in a spreadsheet, which takes a cell that begins with = + - or @ for a formula and
runs it. No column has a form that begins so or goes over several lines, so such a reply is malformed, also without `check`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from maker_graph.core.canonical import JSON, strict_json
from maker_graph.core.items import DecidedItem, Items
from maker_graph.core.task import Prompt
from maker_graph.errors import UsageError
from maker_graph.tasks.tables import INPUT, OUTPUT, review_path, see_columns, write_rows

SYSTEM = """\
You normalise one record. Its three fields are free text typed by different people: a postal address, a date, an amount.

Reply with one JSON object on a single line and nothing after it. All values are strings:
{"street": ..., "house_number": ..., "postcode": ..., "city": ..., "date": ..., "amount": ..., "currency": ...}

street, city: in title case, without abbreviations (St. or Str. is Street, Ave. is Avenue, Rd. is Road, Ln. is Lane).
house_number: digits, with a letter in lower case if there is one (12b). postcode: its five digits.
date: YYYY-MM-DD. In numeric dates with slashes or dots the day comes first; a year of two digits is in this century.
amount: digits, a point, two decimals, no thousands separators (1234.50). A comma or point before the last two digits is the
decimal mark; any other one separates thousands.
currency: the three-letter code ($ is USD, € is EUR, £ is GBP).
"""

USER = """\
Address: {address}
Date: {date}
Amount: {amount}
"""


_FORMULA = re.compile(r"\s*[=+\-@\uff0b\uff0d\uff1d\uff20]")  # the last four are the wide forms of the others
_LINES = re.compile(r"[\t\n\r\u2028\u2029]")


class Records(Items):
    """The rows of a table, each to be normalised.

    >>> task = Records([{"address": "5 Elm  St., 10115 Berlin", "date": "3.4.24", "amount": "$5"}])
    >>> task.prompt(task.items[0])[1][1].splitlines()[0]
    'Address: 5 Elm St., 10115 Berlin'
    """

    place = "row"

    def __init__(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Take `rows`, each with at least the fields address, date and amount.

        Raises:
            UsageError: a row lacks a field.
        """
        for number, row in enumerate(rows, start=1):
            missing = [field for field in INPUT if not isinstance(row.get(field), str)]
            if missing:
                raise UsageError(f"Row {number} has no {' and no '.join(missing)}; each row needs {', '.join(INPUT)}.")
        self.items = rows

    def prompt(self, item: Mapping[str, str]) -> Prompt:
        """Return the instructions and the one row; a row knows nothing of its neighbours."""
        fields = {name: " ".join(item[name].split()) for name in INPUT}  # one line each
        return [("system", SYSTEM), ("user", USER.format(**fields))]

    def parse(self, text: str) -> JSON:
        """Return the object on the last line of `text`.

        Raises:
            ValueError: it is not a JSON object with exactly the columns of `OUTPUT`, all strings of one line and no formulas.
        """
        lines = text.strip().splitlines()
        answer = strict_json(lines[-1] if lines else "")
        if not isinstance(answer, dict) or set(answer) != set(OUTPUT):
            raise ValueError(f"not an object with exactly the keys {', '.join(OUTPUT)}")
        if not all(isinstance(value, str) for value in answer.values()):
            raise ValueError("a value is not a string")
        if any(_FORMULA.match(str(value)) or _LINES.search(str(value)) for value in answer.values()):
            raise ValueError("a value begins like a formula, or is not one line of text")
        return answer

    def check(self, item: Mapping[str, str], answer: Mapping[str, Any]) -> bool:
        """Say whether each column has its form, and the postcode and house number stand in the address."""
        address = item["address"].lower()
        return (
            re.fullmatch(r"[0-9]{5}", answer["postcode"]) is not None
            and re.fullmatch(r"[0-9]+[a-z]?", answer["house_number"]) is not None
            and re.fullmatch(r"[0-9]+\.[0-9]{2}", answer["amount"]) is not None
            and re.fullmatch(r"[A-Z]{3}", answer["currency"]) is not None
            and bool(answer["street"].strip() and answer["city"].strip())
            and _is_iso(answer["date"])
            and answer["postcode"] in address
            and answer["house_number"] in address.replace(" ", "")
        )

    def outputs(self, out: Path) -> Sequence[Path]:
        """Return `out`, and the file beside it that gets the rows on which no answer won.

        Raises:
            UsageError: a column of the rows would be lost.
        """
        see_columns(self.items)
        return [out, review_path(out)]

    def write(self, decided: Iterable[DecidedItem], out: Path) -> None:
        """Write the normalised rows as CSV, and the open ones to the file beside it."""
        write_rows(out, self.items, decided)


def _is_iso(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
