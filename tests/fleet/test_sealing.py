"""A fleet that is sealed is one run: its results, figures and report are those of a run that was never cut."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from pyarrow import parquet

from maker_graph import DamagedRun, LimitReached, Run, UnusableRun, UsageError
from maker_graph.core.copies import NOTE, CopiesSeen
from maker_graph.core.items import Items
from maker_graph.fleet.sealing import Sealed, Shard, Whole, seal
from maker_graph.journal.protocol import Journal
from maker_graph.run import directory as directories
from maker_graph.tasks import WordProblems, curation
from maker_graph.tasks.loading import LoadedTask, cut_task, described, load_task
from tests.tasks.curate.tables import Order, written

ROWS, SHARDS = 40, 3

WRONG = "sim:gpt-oss-20b"
"""A model that errs now and then."""

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "odd": {"type": "boolean"}},
    "required": ["n", "odd"],
    "additionalProperties": False,
}


def table(folder: Path, kind: str = "csv") -> dict[str, str]:
    """Write a table with its right records; return the options of curate."""
    rows = [{"id": str(place), "text": f"the {place}th,\nas it came"} for place in range(ROWS)]
    records = [{"n": place, "odd": place % 2 == 1} for place in range(ROWS)]
    for name, of_name in (("t", rows), ("truth", [{**row, **record} for row, record in zip(rows, records, strict=True)])):
        if kind == "parquet":
            parquet.write_table(pa.Table.from_pylist(of_name), folder / f"{name}.parquet", row_group_size=7)
        elif kind == "jsonl":
            written(folder / f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in of_name))
        else:
            lines = [",".join(of_name[0]), *(",".join(json.dumps(value) for value in row.values()) for row in of_name)]
            written(folder / f"{name}.csv", "\n".join(lines).replace("\\n", "\n"))
    schema = written(folder / "s.json", json.dumps(SCHEMA))
    return {"input": str(folder / f"t.{kind}"), "schema": str(schema), "truth": str(folder / f"truth.{kind}")}


def shard_of(directory: Path) -> Shard:
    """Return the shard in a directory."""

    @contextmanager
    def opened() -> Iterator[Journal]:
        with directories.opened(directory) as run:
            yield run.journal

    return Shard(directory.name, directories.settings_of(directory), opened)


def solved(folder: Path, loaded: LoadedTask, shards: int = SHARDS, **asked: Any) -> list[Shard]:
    """Run the slices of a task, each in a directory of its own; return them as shards."""
    found = []
    for place, each in enumerate(cut_task(loaded, shards)):
        directory = folder / f"f-{place:05}"
        with Run.create(directory, each, **{"model": WRONG, "k": 2, "retry_temperature": None, **asked}) as run:
            run.solve()
        found.append(shard_of(directory))
    return found


def single(folder: Path, loaded: LoadedTask, out: Path, **asked: Any) -> Any:
    """Run a task as it is, with its results; return its figures."""
    asked = {"model": WRONG, "k": 2, "retry_temperature": None, **asked}
    with Run.create(folder / "single", loaded, out=out, provenance=folder / "single.jsonl", **asked) as run:
        return run.solve(), run.certify()


FIGURES = (
    *("task", "model", "steps", "total", "done", "verdict", "because", "wrong", "k", "samples", "votes", "outvoted", "rounds"),
    *("first_sample_wrong_at", "single_differs", "single_wrong", "flags", "tokens", "cost_usd", "digest", "dropped", "rule"),
)
"""Those that must be the same."""


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("per_field", [False, True])
def test_what_is_sealed_is_what_one_run_would_have_written(tmp_path: Path, kind: str, per_field: bool) -> None:
    loaded = load_task("curate", {**table(tmp_path, kind), **({"per_field": True} if per_field else {})})
    asked: dict[str, Any] = {"max_samples": 2}  # a step on which one sample errs stays open
    one, certificate = single(tmp_path, loaded, tmp_path / f"one.{kind}", **asked)
    shards = solved(tmp_path, loaded, **asked)
    out, provenance = tmp_path / f"all.{kind}", tmp_path / "all.jsonl.provenance"
    found = seal([*reversed(shards)], tmp_path / "sealed", out=out, provenance=provenance, report=False)
    assert {name: found.summary[name] for name in FIGURES} == {name: one[name] for name in FIGURES}  # type: ignore[literal-required]
    assert found.open > 0, "the test says nothing of open items"
    for name in ("", ".review"):
        assert (tmp_path / f"all{name}.{kind}").read_bytes() == (tmp_path / f"one{name}.{kind}").read_bytes()
    assert Whole(shards, tmp_path / "sealed").run.certify() == certificate
    told = [json.loads(line) for line in provenance.read_text().splitlines()]
    as_one = [json.loads(line) for line in (tmp_path / "single.jsonl").read_text().splitlines()]
    ids = {each.name: each.settings.id for each in shards}
    assert all(each["run"] == ids[each["shard"]] for each in told)
    assert [(each["shard"], each["step"]) for each in told[: found.summary["steps"]]][-1] == ("f-00002", told[-1]["step"])
    for each, other in zip(told, as_one, strict=True):
        assert {name: each[name] for name in other if name != "run"} == {name: other[name] for name in other if name != "run"}
    assert not (tmp_path / "sealed").exists(), "no report was asked for"


@pytest.fixture(name="shards")
def fixture_shards(tmp_path: Path) -> list[Shard]:
    """Return shards with open items."""
    return solved(tmp_path, load_task("curate", table(tmp_path)), max_samples=2)


@pytest.fixture(name="finished", scope="module")
def fixture_finished(tmp_path_factory: pytest.TempPathFactory) -> list[Shard]:
    """Return shards that are only looked at."""
    folder = tmp_path_factory.mktemp("finished")
    return solved(folder, load_task("curate", table(folder)), max_samples=2)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_to_seal_twice_changes_nothing_and_an_answer_of_a_person_is_taken(tmp_path: Path, shards: list[Shard]) -> None:
    def sealed(*, report: bool = True) -> tuple[Sealed, dict[str, bytes]]:
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        return seal(shards, out / "sealed", out=out / "all.csv", provenance=out / "p", report=report), contents(out)

    first, before = sealed()
    assert first.report[0] == tmp_path / "out" / "sealed" / "report.html"
    assert f"{ROWS}" in before["sealed/report.html"].decode()
    again, after = sealed()
    assert (again, after) == (first, before)
    with Run.open(tmp_path / "f-00001") as run:
        number = next(run.open_items()).number
        item = run.task.items[number - 1]["id"]  # type: ignore[union-attr]  # it has items
        taken = run.answer({number: json.dumps({"n": int(item), "odd": int(item) % 2 == 1})}, write=False)
        assert taken.taken == [number]
    answered, changed = sealed(report=False)
    assert answered.open == first.open - 1
    assert changed["all.csv"].count(b"decided by person") == 1
    assert before["all.csv"].count(b"decided by person") == 0
    assert answered.summary["done"]


def test_what_is_not_finished_is_not_sealed_and_the_text_says_what_to_do(tmp_path: Path) -> None:
    loaded = load_task("curate", table(tmp_path))
    shards = []
    for place, each in enumerate(cut_task(loaded, SHARDS)):
        with Run.create(tmp_path / f"f-{place}", each, model="sim:perfect", k=1, max_steps=9 if place else None) as run:
            with contextmanager_for(place):
                run.solve()
            shards.append(shard_of(tmp_path / f"f-{place}"))
    with pytest.raises(UnusableRun, match=r"2 of 3 shards are not finished: f-1 \(9 of 13 items\), f-2 .*maker-graph work"):
        seal(shards, tmp_path / "sealed", out=tmp_path / "all.csv")
    assert not (tmp_path / "all.csv").exists()
    assert not (tmp_path / "sealed").exists()
    whole = Whole(shards, tmp_path / "sealed")
    assert whole.run.step == 14 + 9 + 9, "it can be looked at"


def contextmanager_for(place: int) -> AbstractContextManager[Any]:
    """Return a block that the limit stops, but for the first shard."""
    return pytest.raises(LimitReached) if place else nullcontext()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda _: [], "There are no shards to seal"),
        (lambda shards: shards[1:], "No shard has the items 1 to 14, which come before f-00001"),
        (lambda shards: [shards[0], shards[2]], "No shard has the items 15 to 27, which come before f-00002"),
        (lambda shards: [*shards, shards[1]], "Another shard also has item 15, the first of f-00001"),
        (lambda shards: shards[:2], "The task has 40 items, and the shards have 27: shards are missing"),
        (
            lambda shards: [*shards[:2], other(shards[2], model="sim:perfect")],
            "f-00002: the settings differ from those of f-00000",
        ),
        (lambda shards: [*shards[:2], other(shards[2], slice=None)], "f-00002: not cut from one task"),
    ],
)
def test_only_the_whole_of_one_task_is_sealed(
    tmp_path: Path, finished: list[Shard], change: Callable[[list[Shard]], Sequence[Shard]], problem: str
) -> None:
    with pytest.raises(UnusableRun, match=problem):
        seal(change(finished), tmp_path / "sealed", out=tmp_path / "all.csv")
    assert not (tmp_path / "all.csv").exists()


def other(shard: Shard, **changed: Any) -> Shard:
    return shard._replace(settings=shard.settings.model_copy(update=changed))


def test_a_task_that_is_no_longer_what_was_cut_is_not_sealed(tmp_path: Path, shards: list[Shard]) -> None:
    path, options = tmp_path / "t.csv", shards[0].settings.options
    content = path.read_text()
    for changed in (
        content.replace("the 30th", "the 31th"),
        content.replace("id,text", "id,test"),
        content.replace("39th", "39 "),
    ):
        written(path, changed)
        with pytest.raises(UnusableRun, match=r"t\.csv is no longer the file that this run began with"):
            seal(shards, tmp_path / "sealed", out=tmp_path / "all.csv")
    written(path, content)
    task = load_task("curate", {name: options[name] for name in ("input", "schema")})
    with pytest.raises(UnusableRun, match="The shards were cut from curate with other options"):
        seal(shards, tmp_path / "sealed", task, out=tmp_path / "all.csv")
    written(tmp_path / "truth.csv", (tmp_path / "truth.csv").read_text() + "\n")
    with pytest.raises(UnusableRun, match=r"truth\.csv is no longer the file that this run began with"):
        seal(shards, tmp_path / "sealed", out=tmp_path / "all.csv")


def test_a_file_of_the_users_is_not_replaced(tmp_path: Path, shards: list[Shard]) -> None:
    out = written(tmp_path / "all.csv", "mine")
    with pytest.raises(UsageError, match=r"all\.csv is there already"):
        seal(shards, tmp_path / "sealed", out=out)
    assert out.read_text() == "mine"
    with pytest.raises(UsageError, match="would overwrite the input"):
        seal(shards, tmp_path / "sealed", out=tmp_path / "t.csv", force=True)
    seal(shards, tmp_path / "sealed", out=out, report=False, force=True)
    assert out.read_text().startswith("id,text,n,odd,status")
    written(out, "mine again")
    with pytest.raises(UsageError, match=r"all\.csv was changed since this run wrote it"):
        seal(shards, tmp_path / "sealed", out=out, report=False)


def test_nothing_is_written_of_a_shard_that_is_damaged(tmp_path: Path, shards: list[Shard]) -> None:
    shutil.copytree(tmp_path / "f-00001", tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "f-00001" / "journal.db")) as db:
        db.execute("UPDATE steps SET entry = replace(entry, '15', '16') WHERE step = 2")
        db.commit()
    with pytest.raises(DamagedRun, match="f-00001: "):
        seal(shards, tmp_path / "sealed", out=tmp_path / "all.csv")
    assert not (tmp_path / "all.csv").exists()
    assert not (tmp_path / "sealed").exists()


def test_word_problems_are_sealed_without_results(tmp_path: Path) -> None:
    task = WordProblems(problems=5, steps=2)
    shards = solved(tmp_path, described(task), 2, model="sim:perfect", k=1)
    with Run.create(tmp_path / "single", task, model="sim:perfect", k=1) as run:
        one = run.solve()
    found = seal(shards, tmp_path / "sealed", report=False)
    assert (found.open, found.report, found.summary["digest"]) == (0, (), one["digest"])
    with pytest.raises(UsageError, match="word-problems has no results to write"):
        seal(shards, tmp_path / "sealed", out=tmp_path / "all.csv", report=False)


class Letters(Items):
    """Items of a user's own, some of which a program answers."""

    def __init__(self, letters: str = "abcdefghij") -> None:
        self.items = letters

    def given(self, item: str) -> str | None:
        return item.upper() if item in "aeiou" else None

    def prompt(self, item: str) -> str:
        return f"Write in upper case: {item}"

    def truth(self, item: str) -> str:
        return item.upper()

    def rehearse(self, item: str) -> tuple[str, list[str]]:
        return item.upper(), [item]


def test_items_of_ones_own_are_sealed_and_answers_that_were_refused_are_open(tmp_path: Path) -> None:
    loaded = load_task(f"{__name__}:Letters", {})
    shards = solved(tmp_path, loaded, model="sim:perfect", k=1)
    with Run.open(tmp_path / "f-00002") as run:
        run.refuse({1: "it failed a test"})
    found = seal(shards, tmp_path / "sealed", out=tmp_path / "all.jsonl", report=False)
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [each["answer"] for each in lines] == [*"ABCDEFG", None, *"IJ"]
    assert [each["number"] for each in lines] == list(range(1, 11))
    assert found.open == 1


class Changed(Letters):
    """The same letters, asked for in other words."""

    def prompt(self, item: str) -> str:
        return f"Capitalise {item}"


class Moved(Letters):
    """The same letters, which stand on something else."""

    inputs: ClassVar = {"alphabet": "greek"}


def test_a_task_that_asks_something_else_or_stands_on_something_else_is_not_sealed(tmp_path: Path) -> None:
    loaded = load_task(f"{__name__}:Letters", {})
    shards = solved(tmp_path, loaded, 2, model="sim:perfect", k=1)
    for task, problem in (
        (Changed(), "The first prompt of .*Letters is no longer"),
        (Moved(), "declares the input 'alphabet'"),
    ):
        with pytest.raises(UnusableRun, match=problem):
            seal(shards, tmp_path / "sealed", replace(loaded, task=task), out=tmp_path / "all.jsonl")


def test_records_are_sealed_as_one_run_writes_them(tmp_path: Path) -> None:
    rows = "".join(f'"{place} Elm St., 10115 Kiel",3.4.24,$5,x\n' for place in range(1, 31))
    loaded = load_task("records", {"input": str(written(tmp_path / "rows.csv", f"address,date,amount,note\n{rows}"))})
    one, _ = single(tmp_path, loaded, tmp_path / "one.csv", max_samples=2)
    found = seal(solved(tmp_path, loaded, max_samples=2), tmp_path / "sealed", out=tmp_path / "all.csv", report=False)
    assert (found.summary["digest"], found.open > 0) == (one["digest"], True)
    for name in ("", ".review"):
        assert (tmp_path / f"all{name}.csv").read_bytes() == (tmp_path / f"one{name}.csv").read_bytes()


def test_a_task_made_in_python_is_handed_in(tmp_path: Path) -> None:
    options = table(tmp_path)
    written(tmp_path / "truth.csv", "id,text,name,count,price,currency,paid\n1,Tea 1,Tea,1,2,EUR,\n2,Tea 2,Tea,2,2,EUR,\n")
    written(tmp_path / "t.csv", "id,text\n1,Tea 1\n2,Tea 2\n")
    loaded = described(curation(options["input"], Order, truth=options["truth"]))
    shards = solved(tmp_path, loaded, 2, model="sim:perfect", k=1)
    found = seal(shards, tmp_path / "sealed", loaded, out=tmp_path / "all.csv", report=False)
    assert found.summary["wrong"] == 0
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 3


def test_copies_that_a_shard_has_seen_are_seen_in_the_whole(tmp_path: Path, shards: list[Shard]) -> None:
    for shard, seen in zip(shards, (CopiesSeen(0, 5, 6, True), CopiesSeen(1, 0, 0), CopiesSeen(0, 0, 1, False)), strict=True):
        with shard.opened() as journal:
            journal.set_note(NOTE, seen.note())
    whole = Whole(shards, tmp_path / "sealed")
    assert CopiesSeen.of(whole.run.note(NOTE)) == CopiesSeen(1, 5, 7, varied=False)
    assert whole.run.certify().refused


def test_the_whole_has_the_same_id_each_time_and_is_no_slice(tmp_path: Path, finished: list[Shard]) -> None:
    one, two = (Whole(each, tmp_path / "sealed").run.settings for each in (finished, [*reversed(finished)]))
    assert one == two
    assert one.slice is None
    assert one.id not in {each.settings.id for each in finished}
    assert one.inputs == load_task("curate", finished[0].settings.options).inputs
