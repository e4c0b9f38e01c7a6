"""How `curate` is made from its options."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from maker_graph.core.checks import function
from maker_graph.errors import UsageError
from maker_graph.files import users_text
from maker_graph.tasks.curate.fields import CurateFields
from maker_graph.tasks.curate.labelled import LabelledRow, read_labelled
from maker_graph.tasks.curate.results import columns_of
from maker_graph.tasks.curate.rows import open_rows
from maker_graph.tasks.curate.schema import load_named, load_schema
from maker_graph.tasks.curate.task import Curate


def _located(source: str) -> str:
    """Return the name of a schema or a program such that it means the same in whatever folder a run goes on."""
    place, colon, name = source.rpartition(":")
    if source.lower().endswith(".json"):
        return str(Path(source).absolute())
    return f"{Path(place).absolute()}{colon}{name}" if place.endswith(".py") else source


Code = Annotated[str, AfterValidator(_located)]
"""`module:name` or `file.py:name`; for a schema also the file of a JSON schema."""


def curate(  # noqa: PLR0917  they are options, and go by their names
    input: Path,  # noqa: A002  the option goes by this name
    schema: Code,
    program: Code | None = None,
    per_field: bool = False,
    prefix: str = "",
    instructions: Path | None = None,
    examples: Path | None = None,
    truth: Path | None = None,
    labelled: Path | None = None,
) -> Curate:
    """Return the task that makes a record of each row of a table.

    Args:
        input: the table: CSV, JSON Lines or Parquet, by its suffix.
        schema: what a record is: a pydantic model as `module:Model` or `file.py:Model`, or the file of a JSON schema.
        program: answers first: `module:function` or `file.py:function`, from a row to the fields of its record, or to None
            where it is not sure.
        per_field: whether each field is a question of its own.
        prefix: stands before the names of the columns that are new in the results.
        instructions: a file with what the prompt says beside the schema.
        examples: a file of solved rows, a few of which a prompt shows.
        truth: a file with the right record of each row, to rehearse simulated models and to judge a run.
        labelled: a file of solved rows with which a model is measured before the run; without `examples`, a tenth of them are
            examples.

    Raises:
        UsageError: one of them cannot be read, or does not fit the others.
    """
    rows, of_records = open_rows(input), load_schema(schema)
    columns = columns_of(rows.columns, of_records, prefix)
    own = None
    if program is not None:
        own = load_named(program, "the program", "a function as module:function or file.py:function").value
        function("program", own, "row")

    def solved(path: Path | None) -> Iterable[LabelledRow]:
        return () if path is None else read_labelled(path, columns, of_records)

    made: Any = CurateFields if per_field else Curate
    task: Curate = made(
        rows,
        of_records,
        program=own,
        prefix=prefix,
        instructions="" if instructions is None else users_text(instructions, "the instructions"),
        examples=solved(examples),
        truth=solved(truth),
    )
    if examples is not None and not task.examples:
        raise UsageError(f"{examples} holds no labelled rows.")
    if labelled is not None and per_field:
        raise UsageError("labelled (--labelled) measures whole rows: leave out per_field (--per-field).")
    if labelled is not None:
        task.take_labelled([*solved(labelled)], str(labelled))
    return task


def names_code(options: Mapping[str, Any]) -> bool:
    """Return whether options of `curate` name code: a pydantic model, or a program."""
    return bool(options.get("program")) or not str(options.get("schema", "")).lower().endswith(".json")
