"""Tables: rows come in as they are or are refused, and results go out whole, to regular files alone."""

import csv
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maker_graph.errors import UsageError
from maker_graph.files import OwnFiles
from maker_graph.run.results import see_out, write_out
from maker_graph.tasks import Records
from maker_graph.tasks.curate.results import review_path
from maker_graph.tasks.records import records
from tests.made import OPEN, decisions

ROW = {"address": "12 B Elm St., 10115 BERLIN", "date": "3.4.24", "amount": "1.234,50 €"}
RIGHT = {
    "street": "Elm Street",
    "house_number": "12b",
    "postcode": "10115",
    "city": "Berlin",
    "date": "2024-04-03",
    "amount": "1234.50",
    "currency": "EUR",
}


def write_results(out: Path, rows: Any, answers: Any, own: OwnFiles) -> int:
    return write_out(Records(rows), out, decisions(answers), own)


def see_results(out: Path, rows: Any, own: OwnFiles, *, source: Path | None = None, force: bool = False) -> None:
    see_out(Records(rows), out, own, sources=[] if source is None else [source], force=force)


def test_open_rows_go_to_a_review_file_and_the_others_keep_their_own_columns(tmp_path: Path) -> None:
    rows, own = [{"customer": "C1", **ROW}, {"customer": "C2", **ROW}], OwnFiles()
    out = tmp_path / "clean.csv"
    assert write_results(out, rows, [RIGHT, OPEN], own) == 1
    assert read(out) == [{"row": "1", "customer": "C1", **RIGHT}]
    assert read(review_path(out)) == [{"row": "2", "customer": "C2", **ROW}]
    assert write_results(out, rows, [RIGHT, RIGHT], own) == 0
    assert not review_path(out).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean.csv"]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_no_cell_of_rows_that_differ_in_their_columns_is_lost(tmp_path: Path) -> None:
    rows = [{**ROW, "customer": "C1"}, {"note": "n2", **ROW}]
    assert write_results(tmp_path / "o.csv", rows, [RIGHT, RIGHT], OwnFiles()) == 0
    assert [(row["customer"], row["note"]) for row in read(tmp_path / "o.csv")] == [("C1", ""), ("", "n2")]


def test_a_table_is_read_as_it_is(tmp_path: Path) -> None:
    content = '\ufeff"id",address,date,amount,ü\r\n1,"5 Elm\nSt., ""A""",3.4.24,€5, x \r\n\r\n2,,,,\r\n'.encode()
    (tmp_path / "rows.csv").write_bytes(content)
    assert list(records(tmp_path / "rows.csv").items) == [
        {"id": "1", "address": '5 Elm\nSt., "A"', "date": "3.4.24", "amount": "€5", "ü": " x "},
        {"id": "2", "address": "", "date": "", "amount": "", "ü": ""},
    ]


HEADER = b"address,date,amount"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"address,date\n1,2\n", "no column 'amount'; it needs address, date, amount and has address, date"),
        (b"", "is empty"),
        ("\ufeff\ufeffaddress,date,amount\n1,2,3\n".encode(), r"has \\ufeffaddress, date, amount"),
        (HEADER + b"\n", "no rows"),
        (HEADER + b"\n1,2\n", "line 2: 2 fields, but the header has 3"),
        (HEADER + b'\n"1\n1",2,3\n1,2,3,4\n', "line 4: 4 fields, but the header has 3"),
        (HEADER + b"\n1,2,3\n\xff,2,3\n", "line 3: this is not UTF-8"),
        ("address,date,amount\n1,2,3\n".encode("utf-16"), "line 1: this is not UTF-8"),
        (HEADER + b"\n1,2,3\n1,\0,3\n", "line 3: there is a NUL"),
        (HEADER + b'\n"1,2,3\n1,2,3\n', "line 3: .*Is a quote missing"),
        (HEADER + b'\n"1"1,2,3\n', "line 2: .*Is a quote missing"),
        (HEADER + b",date\n1,2,3,4\n", "told apart: 'date', 'date'"),
        (HEADER + b",x,Date,X \n1,2,3,4,5,6\n", "told apart: 'date', 'Date', 'x', 'X '"),
        ("address,date,amount,caf\u00e9,cafe\u0301\n1,2,3,4,5\n".encode(), "told apart"),
        ("address,date,amount,x,x\u200b,\ufeffx\n1,2,3,4,5,6\n".encode(), r"told apart: 'x', 'x\\u200b', '\\ufeffx'"),
        ("address,date,amount,\u200b\n1,2,3,4\n".encode(), "column 4 of the header has no name"),
        (HEADER + b",\n1,2,3,4\n", "column 4 of the header has no name"),
        (b",id," + HEADER + b", \n1,2,3,4,5,6\n", "column 1 of the header has no name"),
    ],
)
def test_what_is_no_table_or_would_lose_a_cell_is_refused_with_its_place(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(UsageError, match=rf"(?s)rows.csv.*{problem}"):
        records(tmp_path / "rows.csv")


@pytest.mark.parametrize("mine", [["currency"], ["row"], ["ro\u00adw"], ["City", "house_number"], ["STREET "]])
def test_a_column_that_the_results_would_replace_is_refused_by_name(tmp_path: Path, mine: list[str]) -> None:
    rows = [{**ROW, **dict.fromkeys(mine, "internal-code-7")}]
    with pytest.raises(UsageError, match=re.escape(f"need the names of your columns {', '.join(map(repr, mine))}: rename")):
        see_results(tmp_path / "o.csv", rows, OwnFiles())
    see_results(tmp_path / "o.csv", [{**ROW, "my_currency": "7"}], OwnFiles())


def null(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("make", [os.mkfifo, null, Path.mkdir])
@pytest.mark.parametrize("place", ["clean.csv", "clean.review.csv"])
def test_where_no_regular_file_can_be_nothing_at_all_is_written(
    tmp_path: Path, make: Callable[[Path], None], place: str, *, force: bool
) -> None:
    out = tmp_path / "clean.csv"
    make(tmp_path / place)
    kind = stat.S_IFMT((tmp_path / place).stat().st_mode)
    for answers in ([RIGHT], [OPEN]):
        if place == out.name or answers == [OPEN]:
            with pytest.raises(UsageError, match=rf"{place} is .* give the name of a regular file"):
                write_results(out, [ROW], answers, OwnFiles())
            assert [path.name for path in tmp_path.iterdir()] == [place]
    with pytest.raises(UsageError, match=place):
        see_results(out, [ROW], OwnFiles(), force=force)
    assert [path.name for path in tmp_path.iterdir()] == [place]
    assert stat.S_IFMT((tmp_path / place).stat().st_mode) == kind


@pytest.mark.parametrize("place", ["clean.csv", "clean.review.csv"])
def test_a_file_of_the_users_is_refused_unless_it_may_be_replaced(tmp_path: Path, place: str) -> None:
    out, mine = tmp_path / "clean.csv", tmp_path / place
    mine.write_text("an hour of work")
    with pytest.raises(UsageError, match=rf"{place} is there already: .*--force.*force=True"):
        see_results(out, [ROW], OwnFiles())
    own = OwnFiles()
    see_results(out, [ROW], own, force=True)
    assert mine.read_text() == "an hour of work", "to look changes nothing"
    assert write_results(out, [ROW, ROW], [RIGHT, OPEN], own) == 1
    assert len(read(out)) == len(read(review_path(out))) == 1


def test_a_review_file_of_the_users_is_not_removed_where_no_row_is_open(tmp_path: Path) -> None:
    (tmp_path / "o.review.csv").write_text("my notes")
    assert write_results(tmp_path / "o.csv", [ROW], [RIGHT], OwnFiles()) == 0
    assert (tmp_path / "o.review.csv").read_text() == "my notes"


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
@pytest.mark.parametrize("place", ["clean.csv", "clean.review.csv"])
def test_the_rows_are_never_overwritten(tmp_path: Path, place: str, link: str) -> None:
    source = tmp_path / "rows.csv"
    source.write_text("address,date,amount")
    getattr(tmp_path / place, link)(source)
    with pytest.raises(UsageError, match="would overwrite the input"):
        see_results(tmp_path / "clean.csv", [ROW], OwnFiles(), source=source, force=True)


def test_results_go_where_links_point_and_a_file_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    out, review, own = tmp_path / "clean.csv", tmp_path / "clean.review.csv", OwnFiles()
    for link in (out, review):
        link.symlink_to(f"far/{link.name}")
    (tmp_path / "far" / "clean.csv").touch(mode=0o640)
    see_results(out, [ROW, ROW], own, force=True)
    assert write_results(out, [ROW, ROW], [RIGHT, OPEN], own) == 1
    assert (out.is_symlink(), review.is_symlink()) == (True, True)
    assert read(tmp_path / "far" / "clean.csv") == [{"row": "1", **RIGHT}]
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert write_results(out, [ROW, ROW], [RIGHT, RIGHT], own) == 0
    assert (review.is_symlink(), review.exists()) == (True, False)


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        write_results(tmp_path / "none" / "clean.csv", [ROW], [RIGHT], OwnFiles())
    source = tmp_path / "rows.csv"
    source.touch()
    for name in ("x" * 300, "x" * 250, f"{'x' * 300}/clean.csv"):  # the name of the review file is longer
        with pytest.raises(UsageError, match="cannot be written: File name too long"):
            see_results(tmp_path / f"{name}.csv", [ROW], OwnFiles(), source=source)
