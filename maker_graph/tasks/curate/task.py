"""The task `curate`: each row of a table becomes a record, decided by a program if that is sure, else by a vote."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from maker_graph.core.canonical import JSON, plain
from maker_graph.core.characters import visible
from maker_graph.core.checks import failed
from maker_graph.core.examples import Example
from maker_graph.core.items import DecidedItem, Items, LabelledItem
from maker_graph.core.task import Prompt
from maker_graph.errors import Incomparable, Invalid, MakerError, UsageError
from maker_graph.tasks.curate.labelled import LabelledRow, identity, record_of
from maker_graph.tasks.curate.prompts import asked
from maker_graph.tasks.curate.results import OPEN, Columns, Ended, columns_of, see_suffixes, write_rows
from maker_graph.tasks.curate.rows import FileRows, Rows
from maker_graph.tasks.curate.schema import RecordSchema, as_text
from maker_graph.tasks.curate.slips import slips
from maker_graph.tasks.labelled import with_labelled

Program = Callable[[dict[str, JSON]], Any]
"""A function from a row to the fields of its record, or to None if it is not sure."""


class Curate(Items):
    """The task that turns each row of a table into a record of a schema.

    Attributes:
        rows: the table.
        record_schema: the schema of a record.
        schema: the type, or the JSON schema, of a structured reply.
        columns: the columns of the results.
        inputs: the files that hold the schema. The program's files are not among them, so that it can be mended during a run.
        options: the options with which `curate` makes the task again, as a run keeps them; None if that is not possible.
    """

    whole = True
    options: Mapping[str, JSON] | None = None

    def __init__(
        self,
        rows: Rows,
        schema: RecordSchema,
        *,
        program: Program | None = None,
        prefix: str = "",
        instructions: str = "",
        examples: Iterable[LabelledRow] = (),
        truth: Iterable[LabelledRow] = (),
    ) -> None:
        """Take a table and the schema of its records.

        Args:
            rows: the table.
            schema: the schema of a record.
            program: a function that answers before any model; see `Program`.
            prefix: a text that is put before the names of the new columns in the results.
            instructions: further text for the prompt.
            examples: solved rows that a prompt may show.
            truth: the right record of each row, to rehearse simulated models and to judge a run; may be empty.

        Raises:
            UsageError: two columns of the results would have the same name, or `truth` lacks a row.
        """
        self.rows = rows
        self.record_schema = schema
        self.columns = self.columns_of(rows, schema, prefix)
        self.inputs: Mapping[str, Path] = schema.inputs
        self._program = program
        self._instructions = instructions
        self.items: Any = rows
        self.schema: Any = schema.reply
        self._solved = [*examples]
        self.examples = [Example(each.row, as_text(each.record)) for each in self._solved]
        self._truth = _known(truth, rows)
        if self._truth:
            self.truth = self._right

    def take_labelled(self, rows: Sequence[LabelledRow], name: str) -> None:
        """Take the labelled rows of the file `name`, to measure a model with; see `with_labelled`.

        Raises:
            UsageError: there are too few rows, some are examples, or the same row has two different records.
        """
        known = [LabelledItem(each.row, each.record, each.number, each.status) for each in rows]
        with_labelled(self, known, name, lambda item: identity(dict(item), self.rows.columns))
        self._truth = {**{identity(each.row, self.rows.columns): each.record for each in rows}, **self._truth}

    def columns_of(self, rows: Rows, schema: RecordSchema, prefix: str) -> Columns:
        """Return the columns of the results.

        Raises:
            UsageError: two would have the same name.
        """
        return columns_of(rows.columns, schema, prefix)

    def given(self, item: Mapping[str, JSON]) -> JSON:
        """Return the program's record, or None if it is not sure.

        Raises:
            UsageError: the program fails, or returns something that is not a record; the error names the row.
        """
        values = self._fields(item)
        return None if values is None else record_of(self.record_schema, values, dict(item), lambda: self._on(item))

    def _fields(self, row: Mapping[str, JSON]) -> dict[str, JSON] | None:
        """Return what the program says of a row."""
        if self._program is None:
            return None
        try:
            found = self._program(dict(row))
        except MakerError:
            raise
        except (Exception, SystemExit) as error:
            columns = f". The row has the columns {', '.join(map(visible, row))}" if isinstance(error, KeyError) else ""
            raise UsageError(f"{failed(self._on(row), error)}{columns}") from error
        if found is None:
            return None
        try:
            values = plain(found)
        except (Incomparable, ValueError) as error:
            raise UsageError(f"{self._on(row)} returned something that is not plain JSON: {error}.") from None
        if not isinstance(values, dict):
            raise UsageError(f"{self._on(row)} returned {visible(repr(found))[:100]}: return a dict of fields, or None.")
        return values

    def _on(self, row: Mapping[str, JSON]) -> str:
        place = next((place for place in range(len(self.rows)) if self.rows[place] == row), None)
        first = self.rows.first if isinstance(self.rows, FileRows) else 0
        return f"The program on row {visible(as_text(row))[:200] if place is None else first + place + 1}"

    def prompt(self, item: Mapping[str, JSON]) -> Prompt:
        """Return the question about one row: what the schema says, and the row, without any other row."""
        return asked(self.record_schema, item, self._instructions)

    def parse(self, text: str, item: Mapping[str, JSON]) -> JSON:  # type: ignore[override]  # it may take the item
        """Return the record in a reply: the whole reply, or its last line.

        Raises:
            ValueError: there is no record.
            Invalid: the record breaks a rule of the schema.
        """
        return self.record_schema.read(object_in(text), item)

    def check(self, item: Mapping[str, JSON], answer: JSON) -> bool:
        """Make sure that a record keeps the rules of the schema.

        Raises:
            Invalid: the record breaks a rule; the reason says which.
        """
        see_rules(self.record_schema, answer, item)
        return True

    def key(self, answer: Mapping[str, JSON]) -> JSON:
        """Return what is voted on: equal values are the same vote, also if they are written differently."""
        return self.record_schema.key(answer)

    def rehearse(self, item: Mapping[str, JSON]) -> tuple[str, list[str]]:
        """Return what a simulated model may reply: the right record, and plausible mistakes.

        Raises:
            UsageError: the right record of the row is not known.
        """
        return rehearsed(self.record_schema, self._right(item), item)

    def _right(self, item: Mapping[str, JSON]) -> dict[str, JSON]:
        found = self._truth.get(identity(dict(item), self.rows.columns))
        if found is None:
            raise UsageError(
                "A simulated model can reply only if the right record is known: give --truth FILE with labelled rows that "
                "hold each row of the input, or name a real --model."
            )
        return found

    def outputs(self, out: Path) -> Sequence[Path]:
        """Return `out`, and the file beside it that gets the open rows.

        Raises:
            UsageError: the suffix of `out` is not that of a table.
        """
        return [*see_suffixes(out)]

    def write(self, decided: Iterable[DecidedItem], out: Path) -> int | None:
        """Write each row with its record and its status to `out`, and the open rows also to the file beside it."""
        write_rows(out, self.rows, self.columns, self.record_schema, map(_ended, decided))
        return None


def _ended(each: DecidedItem) -> Ended:
    if each.status == OPEN:
        return Ended(each.number - 1, each.item, {}, OPEN)
    assert isinstance(each.answer, dict)  # noqa: S101  a record is a dict
    return Ended(each.number - 1, each.item, each.answer, f"decided by {each.by}")


def object_in(text: str) -> str:
    r"""Return the part of a reply that is its JSON object: all of it, or its last line after some reasoning.

    >>> object_in('The price is clear.\n{"price": 1}')
    '{"price": 1}'
    """
    text = text.strip()
    return text if text.startswith("{") or "\n" not in text else text[text.rindex("\n") + 1 :]


def see_rules(schema: RecordSchema, answer: JSON, row: Mapping[str, JSON]) -> None:
    """Make sure that an answer is a record that keeps the rules of its schema, by reading it again.

    Raises:
        Invalid: it is not.
    """
    try:
        schema.read(as_text(answer), row)
    except Invalid:
        raise
    except Exception as error:
        raise Invalid(f"{type(error).__name__}: {error}") from error


def _known(truth: Iterable[LabelledRow], rows: Rows) -> dict[str, dict[str, JSON]]:
    """Return the content of each row -> its right record.

    Raises:
        UsageError: a record is not known, or the same row has two different records.
    """
    known: dict[str, dict[str, JSON]] = {}
    for each in truth:
        name = identity(each.row, rows.columns)
        if known.setdefault(name, each.record) != each.record:
            raise UsageError(f"The truth has two records for the same row (row {each.number}): keep one of them.")
    for place in range(len(rows) if known else 0):
        if identity(rows[place], rows.columns) not in known:
            raise UsageError(f"The truth has no record for row {place + 1} of the input: it must have one for each row.")
    return known


def rehearsed(schema: RecordSchema, record: Mapping[str, JSON], row: Mapping[str, JSON]) -> tuple[str, list[str]]:
    """Return what a simulated model may reply about a row: the right record, and plausible mistakes."""
    return as_text(record), slips(schema, record, row)
