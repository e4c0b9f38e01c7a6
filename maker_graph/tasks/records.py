"""The task `records`, which turns messy records into normalised columns: `curate` with a fixed schema and its own prompt.

Each row has a free-text `address`, `date` and `amount`. The answer holds `street`, `house_number`, `postcode`, `city`, `date`
(ISO 8601), `amount` (two decimals) and `currency` (ISO 4217). A row on which no answer wins is left open for a person, and the
run goes on.

A value that begins like a formula of a spreadsheet, or spans several lines, makes a reply invalid.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

from maker_graph.core.canonical import JSON
from maker_graph.core.items import DecidedItem
from maker_graph.core.task import Prompt
from maker_graph.errors import UsageError
from maker_graph.tasks.curate.model_schema import ModelSchema
from maker_graph.tasks.curate.results import Columns, review_path
from maker_graph.tasks.curate.rows import CsvRows, Rows, opened
from maker_graph.tasks.curate.schema import RecordSchema
from maker_graph.tasks.curate.task import Curate, object_in
from maker_graph.tasks.slices import Slice
from maker_graph.tasks.tables import INPUT, see_columns, see_input, write_rows

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


_LINES = re.compile(r"[\t\n\r\u2028\u2029]")
_FORMS = {
    "postcode": r"[0-9]{5}",
    "house_number": r"[0-9]+[a-z]?",
    "amount": r"[0-9]+\.[0-9]{2}",
    "currency": r"[A-Z]{3}",
    "street": r"(?s).*\S.*",
    "city": r"(?s).*\S.*",
}


class Record(BaseModel):
    """One record, normalised. Each column has its form, and the postcode and house number stand in the address."""

    model_config = ConfigDict(extra="forbid")

    street: str
    house_number: str
    postcode: str
    city: str
    date: str
    amount: str
    currency: str

    @field_validator("*")
    @classmethod
    def _formed(cls, value: str, info: ValidationInfo) -> str:
        name = info.field_name or ""
        if _LINES.search(value):
            raise ValueError("not one line of text")
        if name == "date" and not _is_iso(value):
            raise ValueError("no date as YYYY-MM-DD")
        if name in _FORMS and re.fullmatch(_FORMS[name], value) is None:
            raise ValueError("not of its form")
        return value

    @model_validator(mode="after")
    def _stands_in_the_address(self, info: ValidationInfo) -> Self:
        address = (info.context or {}).get("row", {}).get("address")
        if address is None:  # there is nothing to compare with
            return self
        if self.postcode not in address.lower():
            raise ValueError("the postcode does not stand in the address")
        if self.house_number not in address.lower().replace(" ", ""):
            raise ValueError("the house number does not stand in the address")
        return self


class Records(Curate):
    """The task that normalises each row of a table: `curate` with the schema `Record` and its own prompt.

    In its results, the columns of a record replace the three columns from which it was read. Open rows are written only to the
    file beside the results.

    Attributes:
        names: the columns of the rows.

    >>> task = Records([{"address": "5 Elm  St., 10115 Berlin", "date": "3.4.24", "amount": "$5"}])
    >>> task.prompt(task.items[0])[1][1].splitlines()[0]
    'Address: 5 Elm St., 10115 Berlin'
    """

    place = "row"
    whole = False
    rehearse = None  # type: ignore[assignment]  # its prompts say all that a simulated model must know

    def __init__(self, rows: Sequence[Mapping[str, str]] | CsvRows) -> None:
        """Take `rows`, each with at least the fields address, date and amount.

        Raises:
            UsageError: a row lacks a field.
        """
        if isinstance(rows, CsvRows):
            names = list(rows.columns)
            see_input(names, str(rows.path))
        else:
            names = list(dict.fromkeys(name for row in rows for name in row))
            for number, row in enumerate(rows, start=1):
                missing = [field for field in INPUT if not isinstance(row.get(field), str)]
                if missing:
                    raise UsageError(f"Row {number} has no {' and no '.join(missing)}; each row needs {', '.join(INPUT)}.")
        self.names = names
        super().__init__(cast("Rows", rows), ModelSchema.of(Record, "records"))

    def columns_of(self, rows: Rows, schema: RecordSchema, prefix: str) -> Columns:  # noqa: ARG002  as in the base
        """Return the columns of the results, in which those of a record replace three of the input."""
        return Columns([name for name in self.names if name not in INPUT], {name: name for name in schema.fields}, "")

    def prompt(self, item: Mapping[str, Any]) -> Prompt:
        """Return the instructions and one row, without any other row."""
        fields = {name: " ".join(item[name].split()) for name in INPUT}  # one line each
        return [("system", SYSTEM), ("user", USER.format(**fields))]

    def parse(self, text: str) -> JSON:  # type: ignore[override]  # it need not take the row
        """Return the record in a reply; `check` compares it with the address.

        Raises:
            ValueError: there is no record.
            Invalid: a column does not have its form.
        """
        return self.record_schema.read(object_in(text), {})

    def outputs(self, out: Path) -> Sequence[Path]:
        """Return `out`, and the file beside it that gets the rows on which no answer won.

        Raises:
            UsageError: a column of the rows has the name of one of the results, and would be lost.
        """
        see_columns(self.names)
        return [out, review_path(out)]

    def write(self, decided: Iterable[DecidedItem], out: Path) -> None:
        """Write the normalised rows as CSV, and the open ones to the file beside it."""
        write_rows(out, self.names, decided)


def records(input: Path) -> Records:  # noqa: A002  the option goes by this name
    """Return the records task for the rows in the file `input`.

    Raises:
        UsageError: the file cannot be read, or is not a table with the columns of records.
    """
    return Records(opened(CsvRows, input))


def records_of_slice(only: Slice, input: Path) -> Records:  # noqa: A002  as above
    """Return the records task for a slice of the rows in the file `input`.

    Raises:
        UsageError: the file cannot be read, or is not a table with the columns of records.
    """
    return Records(opened(CsvRows, input, only))


def _is_iso(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
