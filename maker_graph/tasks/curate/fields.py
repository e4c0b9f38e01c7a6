"""Curating field by field: each field of a row is a separate question, and is decided, or left open, by itself.

Rules across fields need the whole record, so they are checked once its last field is decided. If the record breaks such a rule,
it is not known which field is wrong. So all fields stay decided in the journal, but the row is open in the results.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from maker_graph.core.canonical import JSON
from maker_graph.core.examples import Example, few_shot
from maker_graph.core.items import DecidedItem
from maker_graph.core.task import Prompt, Variant
from maker_graph.errors import Invalid
from maker_graph.tasks.curate.labelled import record_of
from maker_graph.tasks.curate.prompts import asked
from maker_graph.tasks.curate.results import OPEN, Ended, write_rows
from maker_graph.tasks.curate.rows import Rows
from maker_graph.tasks.curate.schema import RecordSchema, as_text
from maker_graph.tasks.curate.task import Curate, object_in, rehearsed, see_rules


class FieldItems(Sequence[dict[str, Any]]):
    """One item for each field of each row: `{"row": ..., "field": name}`."""

    def __init__(self, rows: Rows, fields: Sequence[str]) -> None:
        self._rows = rows
        self._fields = fields

    def __len__(self) -> int:
        return len(self._rows) * len(self._fields)

    def __getitem__(self, place: Any) -> Any:
        """Return the item at `place`, from 0."""
        row, field = divmod(place, len(self._fields))
        return {"row": self._rows[row], "field": self._fields[field]}


class CurateFields(Curate):
    """The task of `Curate`, with each field of each record decided by itself."""

    def __init__(self, rows: Rows, schema: RecordSchema, **more: Any) -> None:
        """Take a table and the schema of its records; see `Curate`."""
        super().__init__(rows, schema, **more)
        self._parts = {field: schema.only(field) for field in schema.fields}
        self.items = FieldItems(rows, schema.fields)
        self.schema = None  # each field has its own
        self.examples = [
            Example({"row": each.row, "field": field}, as_text({field: value}))
            for each in self._solved
            for field, value in each.record.items()
        ]
        if self.examples:
            self.variants = self._variants

    def given(self, item: Mapping[str, Any]) -> JSON:
        """Return the program's value of the field, or None if it does not give one.

        Raises:
            UsageError: the program fails, or returns something that makes no record; the error names the row.
        """
        row, field = item["row"], item["field"]
        values = self._fields(row)
        if values is None or field not in values:
            return None
        if all(each in values for each in self._parts):
            return {field: record_of(self.record_schema, values, row, lambda: self._on(row))[field]}
        return record_of(self._parts[field], {field: values[field]}, row, lambda: self._on(row))

    def prompt(self, item: Mapping[str, Any]) -> Prompt:
        """Return the question about the field: what the schema says of it, and the row."""
        return asked(self._parts[item["field"]], item["row"], self._instructions)

    def parse(self, text: str, item: Mapping[str, Any]) -> JSON:  # type: ignore[override]  # it may take the item
        """Return the object with the one field, read in the same way as a whole record."""
        return self._parts[item["field"]].read(object_in(text), item["row"])

    def check(self, item: Mapping[str, Any], answer: JSON) -> bool:
        """Make sure that the field keeps its rules, in the same way as for a whole record."""
        see_rules(self._parts[item["field"]], answer, item["row"])
        return True

    def rehearse(self, item: Mapping[str, Any]) -> tuple[str, list[str]]:
        """Return what a simulated model may reply about the field."""
        return rehearsed(self._parts[item["field"]], self._right(item), item["row"])

    def _right(self, item: Mapping[str, Any]) -> dict[str, JSON]:
        return {item["field"]: super()._right(item["row"])[item["field"]]}

    def _variants(self, item: Mapping[str, Any]) -> list[Variant]:
        shown = [each for each in self.examples if each.item["field"] == item["field"]]
        return few_shot(item, shown, self.prompt, lambda text: self.parse(text, item))

    def write(self, decided: Iterable[DecidedItem], out: Path) -> int:
        """Write each row with its record, checked by the rules across fields; return how many rows break such a rule."""
        contradicted = 0

        def rows() -> Iterator[Ended]:
            nonlocal contradicted
            number = len(self.record_schema.fields)
            for place, fields in groupby(decided, key=lambda each: (each.number - 1) // number):
                ended, whole = self._joined(place, [*fields])
                contradicted += whole and ended.is_open
                yield ended

        write_rows(out, self.rows, self.columns, self.record_schema, rows())
        return contradicted

    def _joined(self, place: int, fields: Sequence[DecidedItem]) -> tuple[Ended, bool]:
        """Return how a row ended, given how its fields ended, and whether all of them are decided."""
        row: dict[str, JSON] = fields[0].item["row"]
        record: dict[str, JSON] = {}
        for each in fields:
            record |= each.answer if isinstance(each.answer, dict) else {}
        if left := [each.item["field"] for each in fields if each.status == OPEN]:
            return Ended(place, row, record, OPEN, f"{', '.join(left)} is not decided"), False
        try:
            whole = self.record_schema.read(as_text(record), row)
        except Exception as error:  # noqa: BLE001  a user's rule may fail in any way on a new record
            why = str(error) if isinstance(error, Invalid | ValueError) else f"{type(error).__name__}: {error}"
            return Ended(place, row, record, OPEN, why), True
        who = " and ".join(dict.fromkeys(each.by for each in fields))
        return Ended(place, row, whole, f"decided by {who}"), True
