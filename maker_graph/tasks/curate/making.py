"""The functions that make the task `curate` from its options."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel

from maker_graph.core.canonical import JSON
from maker_graph.core.checks import function
from maker_graph.errors import UsageError
from maker_graph.files import file_named, users_text
from maker_graph.tasks.code import absolute
from maker_graph.tasks.curate.fields import CurateFields
from maker_graph.tasks.curate.labelled import LabelledRow, as_in, read_labelled
from maker_graph.tasks.curate.model_schema import ModelSchema
from maker_graph.tasks.curate.results import columns_of
from maker_graph.tasks.curate.rows import Rows, kind_of, open_rows
from maker_graph.tasks.curate.schema import load_named, load_schema
from maker_graph.tasks.curate.task import Curate, Program
from maker_graph.tasks.slices import Slice


def _located(source: str) -> str:
    """Return the name of a schema or a program in a form that means the same in any folder."""
    return str(Path(source).absolute()) if source.lower().endswith(".json") else absolute(source)


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
    """Return the task with these options, which are those of `curation` in the form that a run keeps.

    Args:
        input: the table: CSV, JSON Lines or Parquet, by its suffix.
        schema: what a record is: a pydantic model as module:Model or file.py:Model, or a file with a JSON schema.
        program: a function that answers before any model, as module:function or file.py:function.
        per_field: whether each field is a separate question.
        prefix: a text that is put before the names of the new columns in the results.
        instructions: a file with further text for the prompt.
        examples: a file of labelled rows, of which a prompt shows a few.
        truth: a file with the right record of each row, to rehearse simulated models and to judge a run.
        labelled: a file of labelled rows with which a model is measured before the run.
    """
    return _made(open_rows(input), schema, program, per_field, prefix, instructions, examples, truth, labelled)


def curate_slice(  # noqa: PLR0917  as above
    only: Slice,
    input: Path,  # noqa: A002  as above
    schema: Code,
    program: Code | None = None,
    per_field: bool = False,
    prefix: str = "",
    instructions: Path | None = None,
    examples: Path | None = None,
    truth: Path | None = None,
    labelled: Path | None = None,
) -> Curate:
    """Return the task of a slice of the rows; the rest of the table is not read."""
    return _made(open_rows(input, only), schema, program, per_field, prefix, instructions, examples, truth, labelled)


def curation(
    input: str | Path,  # noqa: A002  as the option is named
    schema: str | type[BaseModel],
    *,
    program: str | Program | None = None,
    per_field: bool = False,
    prefix: str = "",
    instructions: str | Path | None = None,
    examples: str | Path | None = None,
    truth: str | Path | None = None,
    labelled: str | Path | None = None,
) -> Curate:
    """Return the task that makes a record of each row of a table.

    Args:
        input: the table: CSV, JSON Lines or Parquet, by its suffix.
        schema: the schema of a record: a pydantic model, or its name as `module:Model` or `file.py:Model`; or a file with a
            JSON schema.
        program: a function that answers before any model. It takes a row and returns the fields of its record, or None if it
            is not sure. Give the function, or its name as `module:function` or `file.py:function`.
        per_field: whether each field is a separate question.
        prefix: a text that is put before the names of the new columns in the results.
        instructions: a file with further text for the prompt.
        examples: a file of labelled rows. A prompt shows a few of them, if the run has `variants=True`.
        truth: a file with the right record of each row, to rehearse simulated models and to judge a run.
        labelled: a file of labelled rows with which a model is measured before the run. Without `examples`, a tenth of these
            rows serve as examples.

    Raises:
        UsageError: one of these cannot be read, or does not fit the others.
    """
    files = {"input": input, "instructions": instructions, "examples": examples, "truth": truth, "labelled": labelled}
    paths = {name: Path(file).absolute() for name, file in files.items() if file is not None}
    task = _made(
        open_rows(paths["input"]),
        schema,
        program,
        per_field,
        prefix,
        paths.get("instructions"),
        paths.get("examples"),
        paths.get("truth"),
        paths.get("labelled"),
    )
    task.inputs = {**task.inputs, **paths}  # so that a run that cannot make this task again still knows its files
    if isinstance(schema, str) and (program is None or isinstance(program, str)):
        named = {"schema": _located(schema), **({} if program is None else {"program": _located(program)})}
        more: dict[str, JSON] = {**({"per_field": True} if per_field else {}), **({"prefix": prefix} if prefix else {})}
        task.options = {**{name: str(path) for name, path in paths.items()}, **named, **more}
    return task


def _made(  # noqa: PLR0917  as above
    rows: Rows,
    schema: str | type[BaseModel],
    program: str | Program | None,
    per_field: bool,
    prefix: str,
    instructions: Path | None,
    examples: Path | None,
    truth: Path | None,
    labelled: Path | None,
) -> Curate:
    of_records = load_schema(schema) if isinstance(schema, str) else ModelSchema.of(schema, schema.__name__)
    columns = columns_of(rows.columns, of_records, prefix)
    own: Any = program
    if isinstance(program, str):
        own = load_named(program, "the program", "a function as module:function or file.py:function").value
    if own is not None:
        function("program", own, "row")

    def solved(path: Path | None) -> Iterable[LabelledRow]:
        if path is None:
            return ()
        found = read_labelled(path, columns, of_records)
        return found if kind_of(path) == kind_of(rows.path) else as_in(rows, found)

    kind: Any = CurateFields if per_field else Curate
    task: Curate = kind(
        rows,
        of_records,
        program=own,
        prefix=prefix,
        instructions="" if instructions is None else users_text(instructions, "the instructions"),
        examples=solved(examples),
        truth=solved(truth),
    )
    if examples is not None and not task.examples:
        raise UsageError(f"{examples} holds no labelled rows: give a file with at least one.")
    if labelled is not None and per_field:
        raise UsageError("labelled (--labelled) measures whole rows: leave out per_field (--per-field).")
    if labelled is not None:
        task.take_labelled([*solved(labelled)], str(labelled))
    return task


def see_cut(task: Curate, options: Mapping[str, Any]) -> None:
    """Make sure that a slice of the table shows the same examples as the whole, because it cannot look them up in other rows.

    Raises:
        UsageError: examples or labelled rows are in a file of another kind, and some of them are rows of the table.
    """
    for name in ("examples", "labelled"):
        path = None if options.get(name) is None else file_named(options[name])
        if path is None or kind_of(path) == kind_of(task.rows.path):
            continue
        found = [*read_labelled(path, task.columns, task.record_schema)]
        if as_in(task.rows, found) != found:
            raise UsageError(
                f"{path} has rows of the table, but is a file of another kind. A slice of the table cannot look them up: "
                f"convert {path.name} to {task.rows.path.suffix}, and submit again."
            )


def names_code(options: Mapping[str, Any]) -> bool:
    """Return whether options of `curate` name code: a pydantic model, or a program."""
    return bool(options.get("program")) or not str(options.get("schema", "")).lower().endswith(".json")
