"""Tables: rows come in as they are or are refused, and results go out whole, to regular files alone."""

import csv
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from maker_graph.errors import UsageError
from maker_graph.tasks.tables import read_rows, review_path, see_writable, write_results

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


def test_open_rows_go_to_a_review_file_and_the_others_keep_their_own_columns(tmp_path: Path) -> None:
    rows = [{"customer": "C1", **ROW}, {"customer": "C2", **ROW}]
    out = tmp_path / "clean.csv"
    assert write_results(out, rows, [RIGHT, None]) == 1
    assert read(out) == [{"row": "1", "customer": "C1", **RIGHT}]
    assert read(review_path(out)) == [{"row": "2", "customer": "C2", **ROW}]
    assert write_results(out, rows, [RIGHT, RIGHT]) == 0
    assert not review_path(out).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean.csv"]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"address,date\n1,2\n", "no column 'amount'"),
        (b"", "no column 'address'"),
        (b"address,date,amount\n1,2\n", "line 2"),
        (b"address,date,amount\n1,2,3,4\n", "line 2"),
        (b"address,date,amount\n\xff,2,3\n", "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_of_records_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=problem):
        read_rows(path)


def null(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("make", [os.mkfifo, null, Path.mkdir])
@pytest.mark.parametrize("place", ["clean.csv", "clean.review.csv"])
def test_where_no_regular_file_can_be_nothing_at_all_is_written(
    tmp_path: Path, make: Callable[[Path], None], place: str
) -> None:
    out = tmp_path / "clean.csv"
    make(tmp_path / place)
    kind = stat.S_IFMT((tmp_path / place).stat().st_mode)
    for answers in ([RIGHT], [None]):
        with pytest.raises(UsageError, match=rf"{place} is .* give the name of a regular file"):
            write_results(out, [ROW], answers)
    with pytest.raises(UsageError, match=place):
        see_writable(out)
    assert [path.name for path in tmp_path.iterdir()] == [place]
    assert stat.S_IFMT((tmp_path / place).stat().st_mode) == kind


def test_results_go_where_links_point_and_a_file_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    out, review = tmp_path / "clean.csv", tmp_path / "clean.review.csv"
    for link in (out, review):
        link.symlink_to(f"far/{link.name}")
    (tmp_path / "far" / "clean.csv").touch(mode=0o640)
    assert write_results(out, [ROW, ROW], [RIGHT, None]) == 1
    assert (out.is_symlink(), review.is_symlink()) == (True, True)
    assert read(tmp_path / "far" / "clean.csv") == [{"row": "1", **RIGHT}]
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert write_results(out, [ROW, ROW], [RIGHT, RIGHT]) == 0
    assert (review.is_symlink(), review.exists()) == (True, False)


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_results(tmp_path / "none" / "clean.csv", [ROW], [RIGHT])
