"""Slices of a task: one after the other they are the whole, and each is read without the rest of its table."""

import csv
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from maker_graph import UnusableRun, UsageError
from maker_graph.core.guarding import guarded
from maker_graph.core.items import DecidedItem, Items
from maker_graph.tasks import Curate, Hanoi, WordProblems, curation
from maker_graph.tasks.loading import LoadedTask, cut_task, described, load_task
from maker_graph.tasks.slices import Slice
from maker_graph.tasks.slicing import SomeItems, even, some
from tests.tasks.curate.tables import LABELLED, ROWS, Order, written

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "m": {"type": "string"}}, "required": ["n"]}


def made(folder: Path, table: Path, **more: Any) -> LoadedTask:
    """Return the task of a table."""
    schema = written(folder / "s.json", json.dumps(SCHEMA))
    return load_task("curate", {"input": str(table), "schema": str(schema), **more})


def again(slice_: LoadedTask) -> LoadedTask:
    """Return the task of a slice as it is made from what is kept."""
    assert slice_.slice is not None
    kept = Slice.model_validate_json(slice_.slice.model_dump_json())
    return load_task(slice_.name, slice_.options, slice_.inputs, only=kept)


def prompts(task: Any) -> list[Any]:
    """Return all that is asked, in order, as it depends on the state."""
    inside = guarded(task)
    state, found = inside.start(), []
    while not inside.done(state):
        variants = [each.prompt for each in inside.variants(state)] if hasattr(inside, "variants") else []
        found.append((inside.prompt(state), variants))
        state = inside.skip(state) if hasattr(inside, "skip") else inside.apply(state, inside.truth(state))  # type: ignore[attr-defined]
    return found


def see_slices(loaded: LoadedTask, slices: int) -> list[LoadedTask]:
    """See that the slices are the whole, at hand and made again; return them."""
    found = [*cut_task(loaded, slices)]
    assert [each.slice for each in cut_task(loaded, slices)] == [each.slice for each in found], "twice the same"
    whole = prompts(loaded.task)
    assert [each for slice_ in found for each in prompts(slice_.task)] == whole
    fresh = [again(slice_) for slice_ in found]
    assert [each for slice_ in fresh for each in prompts(slice_.task)] == whole
    assert [each.inputs for each in fresh] == [each.inputs for each in found]
    return found


CELLS = st.text(st.sampled_from("a1 ,;\"\n\r'\\üé\u2028\ufeff😀"), max_size=6)


@settings(max_examples=40)
@given(
    cells=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=9),
    slices=st.integers(1, 12),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    mark=st.booleans(),
    last=st.booleans(),
    empty=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_slices_of_any_csv_are_the_whole(  # noqa: PLR0917  hypothesis gives them
    cells: Sequence[tuple[str, str]], slices: int, end: str, mark: bool, last: bool, empty: bool, quoting: Any
) -> None:
    text = io.StringIO(newline="")
    if any(set(cell) & {"\r", "\n"} for row in cells for cell in row):
        quoting = csv.QUOTE_ALL  # Python's writer leaves those bare that end no line
    lines = csv.writer(text, lineterminator=f"{end}{end}" if empty else end, quoting=quoting)
    lines.writerows([("id", "ü\nb" if quoting == csv.QUOTE_ALL else "üb"), *cells])
    content = ("\ufeff" if mark else "") + (text.getvalue() if last else text.getvalue().rstrip("\r\n"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = see_slices(made(folder, written(folder / "t.csv", content)), slices)
        assert len(found) == min(slices, len(cells))


JSONS = st.recursive(st.none() | st.booleans() | st.integers() | CELLS, lambda inner: st.lists(inner, max_size=2), max_leaves=3)


@settings(max_examples=40)
@given(
    rows=st.lists(st.dictionaries(st.sampled_from(["a", "b", "c d", "ü"]), JSONS, max_size=4), min_size=1, max_size=9),
    slices=st.integers(1, 12),
    end=st.sampled_from(["\n", "\r\n", "\n\n \n"]),
    mark=st.booleans(),
    per_field=st.booleans(),
)
def test_slices_of_any_json_lines_are_the_whole(
    rows: Sequence[dict[str, Any]], slices: int, end: str, mark: bool, per_field: bool
) -> None:
    content = ("\ufeff" if mark else "") + end.join(json.dumps(row, ensure_ascii=False) for row in rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loaded = made(folder, written(folder / "t.jsonl", content), **({"per_field": True} if per_field else {}))
        found = see_slices(loaded, slices)
        columns = [again(each).task.columns for each in found]  # type: ignore[union-attr]  # it has columns
        assert columns == [loaded.task.columns] * len(found), "of the whole table, whatever a slice has"  # type: ignore[union-attr]


@pytest.mark.parametrize("group", [1, 3, 100])
@pytest.mark.parametrize("slices", [1, 2, 3, 7, 20])
def test_slices_of_parquet_are_the_whole_wherever_its_groups_end(tmp_path: Path, group: int, slices: int) -> None:
    columns = {
        "id": list(range(10)),
        "x": [None, 1.5, float("nan"), *range(7)],
        "t": [b"\x00"] * 10,
        "when": pa.array([1, 1_000, *range(2_000, 10_000, 1_000)], pa.timestamp("ns")),  # the first has no value in Python
    }
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=group)
    assert len(see_slices(made(tmp_path, tmp_path / "t.parquet"), slices)) == min(slices, 10)


def test_a_row_that_changes_in_parquet_is_noticed_by_its_own_slice_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"

    def write(numbers: Sequence[int], kind: pa.DataType) -> None:
        parquet.write_table(pa.table({"id": pa.array(numbers, kind)}), path, row_group_size=4)

    write(range(10), pa.int64())
    first, second = cut_task(made(tmp_path, path), 2)
    write([*range(9), 99], pa.int64())
    assert prompts(again(first).task) == prompts(first.task)
    with pytest.raises(UnusableRun, match=r"t\.parquet is no longer the file that this run began with"):
        again(second)
    write(range(5), pa.int64())
    with pytest.raises(UnusableRun, match="no longer the file"):
        again(second)
    write(range(10), pa.int32())
    with pytest.raises(UnusableRun, match="no longer the file"):
        again(first)


def overwritten(path: Path, begin: int, content: bytes) -> None:
    """Put other bytes into a file; its size stays."""
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(content)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_what_is_outside_of_a_slice_is_not_read_and_what_is_inside_cannot_change(tmp_path: Path, name: str) -> None:
    rows = [f'{place},"x{place}"' if name == "t.csv" else f'{{"id": {place}}}' for place in range(100)]
    path = written(tmp_path / name, "\n".join([*(["id,text"] if name == "t.csv" else []), *rows, ""]))
    slices = [*cut_task(made(tmp_path, path), 4)]
    before = prompts(slices[2].task)
    content = path.read_bytes()
    assert slices[2].slice is not None
    assert slices[2].slice.span is not None
    header, (begin, end) = slices[2].slice.header, slices[2].slice.span
    overwritten(path, header, b'\xff\0"' * 1000 if header > begin else (b'\xff\0"\n' * 1000)[: begin - header])
    overwritten(path, end, (b'\xff\0"\n' * 1000)[: len(content) - end])
    assert prompts(again(slices[2]).task) == before
    with pytest.raises(UnusableRun, match=f"{name} is no longer the file that this run began with: put that one back"):
        again(slices[1])
    path.write_bytes(content)
    for place in (begin, (begin + end) // 2, end - 1, *([3] if header else [])):
        overwritten(path, place, b"~")
        with pytest.raises(UnusableRun, match="is no longer the file that this run began with"):
            again(slices[2])
        overwritten(path, place, content[place : place + 1])
    assert prompts(again(slices[2]).task) == before


def test_a_slice_of_a_file_of_many_gigabytes_is_opened_at_once(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "id,text\n1,a\n2,b\n3,c\n")
    slices = [*cut_task(made(tmp_path, path), 3)]
    before = prompts(slices[1].task)
    with path.open("r+b") as file:
        file.truncate(1 << 38)  # a hole: to read it would take minutes
    assert prompts(again(slices[1]).task) == before


def test_examples_truth_and_labelled_rows_are_whole_in_each_slice(tmp_path: Path) -> None:
    table, labelled = written(tmp_path / "t.csv", ROWS), written(tmp_path / "l.csv", LABELLED)
    code = written(tmp_path / "o.py", "from tests.tasks.curate.tables import Order\n")
    options = {"input": str(table), "schema": f"{code}:Order", "examples": str(labelled), "truth": str(labelled)}
    for more in ({}, {"per_field": True}):
        loaded = load_task("curate", {**options, **more})
        slices = see_slices(loaded, 2)
        for each in map(again, slices):
            inside = guarded(each.task)
            assert inside.rehearse is not None
            assert inside.rehearse(inside.start())
            assert {name: each.inputs[name] for name in ("examples", "truth")} == {
                name: loaded.inputs[name] for name in ("examples", "truth")
            }
    many = "\n".join(f'{each},"Tea, {each}",Tea,{each + 1},1.20,USD,' for each in range(60))
    rows = written(tmp_path / "m.csv", f"id,text,name,count,price,currency,paid\n{many}\n")
    measured = load_task("curate", {"input": str(table), "schema": f"{code}:Order", "labelled": str(rows)})
    assert isinstance(measured.task, Curate)
    assert measured.task.examples
    see_slices(measured, 3)
    written(labelled, LABELLED.replace("Tea,1,", "Tea,2,"))
    with pytest.raises(UnusableRun, match=r"l\.csv is no longer"):
        again(slices[0])


def test_examples_that_a_slice_could_not_find_in_the_rest_of_the_table_are_refused(tmp_path: Path) -> None:
    table = written(tmp_path / "t.jsonl", '{"id": 1}\n{"id": 2}\n')
    near, other = written(tmp_path / "n.csv", "id,n,m\n2,5,\n"), written(tmp_path / "o.csv", "id,n,m\n7,5,\n")
    with pytest.raises(UsageError, match=r"n.csv has rows of the table, .* convert n.csv to .jsonl, and submit again"):
        [*cut_task(made(tmp_path, table, examples=str(near)), 2)]
    see_slices(made(tmp_path, table, examples=str(other)), 2)


def test_records_are_cut_as_curate_is(tmp_path: Path) -> None:
    rows = "".join(f'"{place} Elm St.,\n10115 Kiel",3.4.24,$5,x\r\n' for place in range(1, 8))
    path = written(tmp_path / "rows.csv", f"\ufeffaddress,date,amount,note\r\n{rows}")
    shown = written(tmp_path / "e.jsonl", '{"item": {"address": "a", "date": "b", "amount": "c"}, "answer": {}}\n')
    slices = see_slices(load_task("records", {"input": str(path), "examples": str(shown)}), 3)
    assert [each.slice and (each.slice.first, each.slice.rows) for each in slices] == [(0, 3), (3, 2), (5, 2)]
    assert [each.task.names for each in map(again, slices)] == [["address", "date", "amount", "note"]] * 3  # type: ignore[union-attr]


class Numbers(Items):
    """Items of a user's own, of which nobody knows where they come from."""

    place = "number"

    def __init__(self, most: int = 10) -> None:
        self.most = most

    @property
    def items(self) -> Sequence[int]:  # type: ignore[override]  # as some do
        return range(self.most)

    def given(self, item: int) -> int | None:
        return item if item % 2 else None

    def prompt(self, item: int) -> str:
        return f"How many of {self.most}, {item}?"

    def parse(self, text: str, item: int) -> int:  # type: ignore[override]  # it takes the item
        return int(text) + item

    def truth(self, item: int) -> int:
        return item

    def rephrase(self, item: int, attempt: int) -> str:
        return f"{item} {attempt}"


def test_items_of_ones_own_are_made_as_a_whole_and_some_are_shown(tmp_path: Path) -> None:
    loaded = load_task(f"{__name__}:Numbers", {"most": 11})
    slices = see_slices(loaded, 4)
    (_, second, *_) = map(again, slices)
    inside = guarded(second.task)
    assert inside.start() == {"number": 0}
    assert inside.prompt(inside.start()) == "How many of 11, 3?"
    assert inside.given is not None
    assert (inside.given({"number": 0}), inside.parse("1", {"number": 1})) == (3, 5)
    assert (inside.truth({"number": 2}), inside.rephrase({"number": 2}, 1)) == (5, "5 1")  # type: ignore[attr-defined]  # it has both
    assert not hasattr(inside, "check")
    task = second.task
    assert isinstance(task, SomeItems)
    task.write([DecidedItem(1, 3, "decided", 3, "vote"), DecidedItem(2, 4, "open", None)], tmp_path / "o.jsonl")
    assert [json.loads(line)["number"] for line in (tmp_path / "o.jsonl").read_text().splitlines()] == [4, 5]
    with pytest.raises(UsageError, match=r"Numbers has 2 items, but this slice of it ends with number 6: put its input back"):
        load_task(loaded.name, {"most": 2}, only=slices[1].slice)


def test_a_task_of_no_items_is_one_slice() -> None:
    (only,) = cut_task(load_task(f"{__name__}:Numbers", {"most": 0}), 5)
    assert only.slice == Slice(first=0, rows=0)
    assert prompts(again(only).task) == []


def test_a_table_in_memory_is_cut_by_its_rows_whatever_is_asked_of_each(tmp_path: Path) -> None:
    written(tmp_path / "t.csv", ROWS)
    loaded = described(curation(tmp_path / "t.csv", Order, per_field=True))
    found = [*cut_task(loaded, 2)]
    assert [len(prompts(each.task)) for each in found] == [10, 5]
    assert [one for each in found for one in prompts(each.task)] == prompts(loaded.task)


def test_word_problems_are_cut_by_problems_and_keep_their_numbers() -> None:
    loaded = described(WordProblems(problems=7, steps=2, kinds="product,difference"))
    slices = see_slices(loaded, 3)
    second = guarded(again(slices[1]).task)
    assert second.start() == {"problem": 3, "values": []}
    assert second.state_at(3) == guarded(loaded.task).state_at(9)  # type: ignore[attr-defined]  # they have it
    assert second.total() == 4  # type: ignore[attr-defined]


def test_a_slice_that_is_asked_for_itself_is_what_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "id\n1\n2\n3\n4\n")
    for loaded in (made(tmp_path, path), described(WordProblems(problems=4)), load_task(f"{__name__}:Numbers", {"most": 4})):
        for each in cut_task(loaded, 2):
            assert each.slice is not None
            for task in (each.task, again(each).task):
                assert some(task, each.slice) is task


def test_a_chain_and_a_slice_cannot_be_cut() -> None:
    with pytest.raises(UsageError, match=r"Hanoi cannot be cut, because each of its steps"):
        [*cut_task(described(Hanoi(3)), 2)]
    with pytest.raises(UsageError, match="cannot be cut"):
        some(Hanoi(3), Slice(first=0, rows=1))
    (slice_, _) = cut_task(described(WordProblems(problems=2)), 2)
    with pytest.raises(UsageError, match="is a slice of word-problems already"):
        [*cut_task(slice_, 2)]
    with pytest.raises(UsageError, match="slices must be"):
        [*cut_task(described(WordProblems(problems=2)), 0)]


@given(number=st.integers(0, 200), slices=st.integers(1, 300))
def test_slices_are_as_even_as_possible_and_none_is_empty(number: int, slices: int) -> None:
    found = [*even(number, slices)]
    sizes = [rows for _, rows in found]
    assert len(found) == max(1, min(number, slices))
    assert sum(sizes) == number
    assert max(sizes) - min(sizes) <= 1
    assert [first for first, _ in found] == [sum(sizes[:place]) for place in range(len(sizes))]


def test_a_program_that_fails_on_a_row_of_a_slice_says_which_row_of_the_table(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "id\n1\n2\n3\n4\n")
    written(tmp_path / "p.py", "def program(row):\n    return 1 / (int(row['id']) - 4)\n")
    (_, second) = cut_task(made(tmp_path, path, program=f"{tmp_path / 'p.py'}:program"), 2)
    inside = guarded(again(second).task)
    assert inside.given is not None
    with pytest.raises(UsageError, match="The program on row 4"):
        inside.given({"item": 1})


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_that_is_replaced_while_it_is_cut_is_noticed_by_its_slices(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / f"t.{kind}", tmp_path / f"other.{kind}"

    def write(to: Path, numbers: Sequence[int]) -> None:
        if kind == "csv":
            written(to, "".join(f"{each}\n" for each in ("id", *numbers)))
        else:
            parquet.write_table(pa.table({"id": numbers}), to)

    write(path, [1, 2, 3, 4])
    loaded = made(tmp_path, path)
    slices = cut_task(loaded, 2)
    first = next(slices)
    write(other, [1, 2, 3, 5])
    other.replace(path)  # as editors save
    second = next(slices)
    assert prompts(again(first).task) == prompts(first.task)
    assert [*prompts(first.task), *prompts(second.task)] == prompts(loaded.task), "those of the table that was opened"
    with pytest.raises(UnusableRun, match="is no longer the file"):
        again(second)
