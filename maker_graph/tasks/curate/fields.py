"""Curating field by field: each field of a row is a question of its own, and so is decided, or left open, by itself.

Rules across fields can only be held against the whole record, so that is done once its last field is decided. If the record
breaks one, none of its fields is known to be wrong, and all of them stay decided in the journal; but the row is open in the
results.
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
        """Return the item at `place`."""
        row, field = divmod(place, len(self._fields))
        return {"row": self._rows[row], "field": self._fields[field]}


class CurateFields(Curate):
    """The fields of the records of a table, each decided by itself."""

    def __init__(self, rows: Rows, schema: RecordSchema, **more: Any) -> None:
        """Take a table and what its rows are to become; see `Curate`."""
        super().__init__(rows, schema, **more)
        self._parts = {field: schema.only(field) for field in schema.fields}
        self.items = FieldItems(rows, schema.fields)
        self.schema = None  # each field has one of its own
        self.examples = [
            Example({"row": each.row, "field": field}, as_text({field: value}))
            for each in self._solved
            for field, value in each.record.items()
        ]
        if self.examples:
            self.variants = self._variants

    def given(self, item: Mapping[str, Any]) -> JSON:
        """Return the field as the program has it, or None where it says nothing of it.

        Raises:
            UsageError: it fails, or what it returns makes no record; the text says on which row.
        """
        row, field = item["row"], item["field"]
        values = self._fields(row)
        if values is None or field not in values:
            return None
        if all(each in values for each in self._parts):
            return {field: record_of(self.record_schema, values, row, lambda: self._on(row))[field]}
        return record_of(self._parts[field], {field: values[field]}, row, lambda: self._on(row))

    def prompt(self, item: Mapping[str, Any]) -> Prompt:
        """Return what the schema says of the field, and the row."""
        return asked(self._parts[item["field"]], item["row"], self._instructions)

    def parse(self, text: str, item: Mapping[str, Any]) -> JSON:  # type: ignore[override]  # it may take the item
        """Return the object with the one field; as that of a whole record."""
        return self._parts[item["field"]].read(object_in(text), item["row"])

    def check(self, item: Mapping[str, Any], answer: JSON) -> bool:
        """See that the field keeps its rules; as that of a whole record."""
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
        """Write each row with its record, which is held against the rules across fields; return how many rows break one."""
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
        """Return how a row ended whose fields ended so, and whether all of them are decided."""
        row: dict[str, JSON] = fields[0].item["row"]
        record: dict[str, JSON] = {}
        for each in fields:
            record |= each.answer if isinstance(each.answer, dict) else {}
        if left := [each.item["field"] for each in fields if each.status == OPEN]:
            return Ended(place, row, record, OPEN, f"{', '.join(left)} is not decided"), False
        try:
            whole = self.record_schema.read(as_text(record), row)
        except Exception as error:  # noqa: BLE001  a rule of the user's may fail in any way on a record that it has not seen
            why = str(error) if isinstance(error, Invalid | ValueError) else f"{type(error).__name__}: {error}"
            return Ended(place, row, record, OPEN, why), True
        who = " and ".join(dict.fromkeys(each.by for each in fields))
        return Ended(place, row, whole, f"decided by {who}"), True
