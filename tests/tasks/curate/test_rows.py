"""Rows: each is read where it stands, and what is not a table is told with its line, before anything is paid for."""

import os
import tracemalloc
from pathlib import Path

import pytest

from maker_graph.errors import UsageError
from maker_graph.tasks.curate.rows import CsvRows, open_rows
from tests.tasks.curate.tables import written


def test_csv_is_read_as_it_is_whatever_its_marks_quotes_and_line_ends(tmp_path: Path) -> None:
    for end in ("\n", "\r\n", "\r"):
        text = f'\ufeff"id",ü{end}1,"a{end}""b"", c"{end}{end}2,\u2028 x {end}"3",'
        rows = open_rows(written(tmp_path / "t.csv", text))
        assert list(rows.columns) == ["id", "ü"]
        assert [rows[place] for place in (2, 0, 1)] == [
            {"id": "3", "ü": ""},
            {"id": "1", "ü": f'a{end}"b", c'},
            {"id": "2", "ü": "\u2028 x "},
        ]


def test_json_lines_keep_nested_values_and_rows_need_not_have_all_columns(tmp_path: Path) -> None:
    rows = open_rows(written(tmp_path / "t.jsonl", '\ufeff{"a": {"b": [1, null]}}\r\n\n{"c": 1.10, "a": "x"}'))
    assert list(rows.columns) == ["a", "c"]
    assert [rows[0], rows[1]] == [{"a": {"b": [1, None]}}, {"c": 1.1, "a": "x"}]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"a,b\n", "has no rows"),
        ("t.csv", b"a,b\n1,2\n\n1\n", "line 4: 1 fields, but the header has 2"),
        ("t.csv", b'a,b\n"1\n1",2,3\n', "line 2: 3 fields"),
        ("t.csv", b'a,b\n1,"2\n3,4\n', "line 3: .*quote missing"),
        ("t.csv", b"a,b\n1,2\n\xff,2\n", "line 3: this is not UTF-8. Save the table as CSV in UTF-8"),
        ("t.csv", b"a,b\n1,\0\n", "line 2: there is a NUL"),
        ("t.csv", b"a,A\n1,2\n", "told apart"),
        ("t.jsonl", b'{"a": 1}\n[1]\n', "line 2: this is not a JSON object"),
        ("t.jsonl", b'{"a": 1}\n{"a": NaN}\n', "line 2: NaN is not JSON"),
        ("t.jsonl", b'{"a": 1e999}\n', "line 1: 1e999 is too large"),
        ("t.jsonl", b'{"a": 1, "a": 2}\n', "line 1: the key 'a' stands twice"),
        ("t.jsonl", b'{"a": 1\n', "line 1: this is not JSON"),
        ("t.jsonl", b'{"a": "\\ud800"}\n', "line 1: there is half of a character"),
        ("t.jsonl", b"[" * 100_000, "nested"),
        ("t.jsonl", b'{"a": 1}\n{"A": 1}\n', "told apart"),
        ("t.jsonl", b"\n", "has no rows"),
        ("t.txt", b"a\n1\n", r"must end in .csv, .jsonl \(JSON Lines\) or .parquet"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    with pytest.raises(UsageError, match=f"(?s){name}.*{problem}"):
        open_rows(written(tmp_path / name, content))


def test_what_is_no_regular_file_is_refused_and_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        open_rows(tmp_path / "folder.csv")
    with pytest.raises(UsageError, match="No such file"):
        open_rows(tmp_path / "none.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(UsageError, match="is a pipe"):
        open_rows(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to(written(tmp_path / "t.csv", "a\n1\n"))
    assert open_rows(tmp_path / "link.csv")[0] == {"a": "1"}


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "a\n1\n2\n")
    rows = open_rows(path)
    written(path, "a\n1\n3\n4\n")
    with pytest.raises(UsageError, match="was changed while it was read"):
        rows[1]


def test_a_cell_may_be_huge(tmp_path: Path) -> None:
    rows = open_rows(written(tmp_path / "t.csv", f'a,b\n"{"x" * 300_000}",1\n'))
    assert len(str(rows[0]["a"])) == 300_000


def test_rows_that_are_not_read_take_no_memory_but_for_their_places(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with path.open("w") as file:
        file.write("a,b\n" + f"{'x' * 200},1\n" * 20_000)
    CsvRows(path)  # what is loaded once is not part of it
    tracemalloc.start()
    rows = CsvRows(path)
    assert tracemalloc.get_traced_memory()[0] < 20 * 20_000
    tracemalloc.stop()
    assert rows[19_999]["b"] == "1"
