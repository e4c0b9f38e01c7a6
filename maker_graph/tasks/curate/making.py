"""How `curate` is made from its options."""

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
    """Return the name of a schema or a program such that it means the same in whatever folder a run goes on."""
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
    """Return the task that the options of `curate` stand for; they are those of `curation`, each as it is kept with a run."""
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
        schema: what a record is: a pydantic model, as such or as `module:Model` or `file.py:Model`; or a JSON schema in a file.
        program: answers first: a function from a row to the fields of its record, or to None where it is not sure; as such, or
            as `module:function` or `file.py:function`.
        per_field: whether each field is a question of its own.
        prefix: stands before the names of the columns that are new in the results.
        instructions: a file with what the prompt says beside the schema.
        examples: a file of labelled rows, a few of which a prompt shows (with `variants=True` of the run).
        truth: a file with the right record of each row, to rehearse simulated models and to judge a run.
        labelled: a file of solved rows with which a model is measured before the run; without `examples`, a tenth of them are
            examples.

    Raises:
        UsageError: one of them cannot be read, or does not fit the others.
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
    task.inputs = {**task.inputs, **paths}  # a run that cannot make this task again would not know of them
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
        raise UsageError(f"{examples} holds no labelled rows.")
    if labelled is not None and per_field:
        raise UsageError("labelled (--labelled) measures whole rows: leave out per_field (--per-field).")
    if labelled is not None:
        task.take_labelled([*solved(labelled)], str(labelled))
    return task


def see_cut(task: Curate, options: Mapping[str, Any]) -> None:
    """See that a slice of the table shows the same examples as the whole: it cannot look them up in the other rows.

    Raises:
        UsageError: examples or labelled rows are in a file of another kind, and some of them stand in the table.
    """
    for name in ("examples", "labelled"):
        path = None if options.get(name) is None else file_named(options[name])
        if path is None or kind_of(path) == kind_of(task.rows.path):
            continue
        found = [*read_labelled(path, task.columns, task.record_schema)]
        if as_in(task.rows, found) != found:
            raise UsageError(
                f"{path} has rows of the table, and is a file of another kind. A slice of the table cannot look them up: "
                f"convert {path.name} to {task.rows.path.suffix}, and submit again."
            )


def names_code(options: Mapping[str, Any]) -> bool:
    """Return whether options of `curate` name code: a pydantic model, or a program."""
    return bool(options.get("program")) or not str(options.get("schema", "")).lower().endswith(".json")
