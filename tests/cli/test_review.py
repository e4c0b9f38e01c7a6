"""`maker-graph review`: what nobody could decide waits, and a person's answers are read like a model's."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from tests.conftest import Cli

TASK = """
from maker_graph import Items
from maker_graph.simulation import Replies

class Prices(Items):
    class rehearsal:
        @staticmethod
        def replies(prompt):
            text = prompt[-1][1].partition(": ")[2]
            return Replies("no price", ["none", "-"]) if text.startswith("?") else Replies(text + ".00", ["1.00", "9.00"])
    def __init__(self):
        self.items = ["1", "?a", "3", "?=b", "5"]
    def given(self, item):
        return item + ".00" if item == "1" else None
    def prompt(self, item):
        return f"Price: {item}"
    def check(self, item, answer):
        return answer.replace(".", "").isdigit()
"""


@pytest.fixture
def stopped(cli: Cli, tmp_path: Path) -> Callable[..., Any]:
    """Make a run with two open items of five; return what ran it."""
    (tmp_path / "shops.py").write_text(TASK)
    args = ("--model", "sim:perfect", "--k", "2", "--max-samples", "6", "--run", "r", "--out", "out.jsonl", "--quiet")
    done = cli("run", "shops:Prices", *args)
    assert done.returncode == 3, done.stderr
    assert "2 of 5 items are left open for a person: maker-graph review " in done.stderr
    return cli


def statuses(folder: Path) -> list[Any]:
    return [json.loads(line)["answer"] for line in (folder / "out.jsonl").read_text().splitlines()]


def test_open_items_are_listed_with_what_was_asked(stopped: Cli) -> None:
    listed = stopped("review", "r", "--list")
    assert (listed.returncode, "Item 2" in listed.stdout, "Price: ?a" in listed.stdout) == (3, True, True)
    assert listed.stdout.count("  The last reply: no") == 2
    found = json.loads(stopped("review", "r", "--json").stdout)
    assert [item["item"] for item in found["items"]] == [2, 4]
    assert (found["open"], found["exit_code"]) == (2, 3)
    assert found["items"][0]["flags"]


@pytest.mark.parametrize("name", ["open.jsonl", "open.csv"])
def test_they_are_exported_filled_in_and_taken_in_bulk(stopped: Cli, tmp_path: Path, name: str) -> None:
    assert stopped("review", "r", "--export", name).returncode == 3
    assert stopped("review", "r", "--export", name).returncode == 2  # it is there already
    path = tmp_path / name
    answers = {2: "2.00", 4: "four"}
    if name.endswith("csv"):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["item"] for row in rows] == ["2", "4"]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows({**row, "answer": answers[int(row["item"])]} for row in rows)
    else:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert [line["answer"] for line in lines] == [None, None]
        path.write_text("".join(json.dumps({**line, "answer": answers[line["item"]]}) + "\n" for line in lines))
    done = stopped("resume", "r", "--answers", name, "--quiet")
    assert done.returncode == 3, done.stderr
    assert "Item 4: the answer was not taken: it is invalid" in done.stderr
    assert statuses(tmp_path) == ["1.00", "2.00", "3.00", None, "5.00"]
    as_json = '{"item": 2, "answer": "2.00"}\n{"item": 4, "answer": 4}\n'
    path.write_text("item,answer\n2,2.00\n4,4.00\n" if name.endswith("csv") else as_json)
    done = stopped("resume", "r", "--answers", name, "--quiet", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["verdict"], said["sessions"] >= 2) == ("consistent", True)
    assert None not in statuses(tmp_path)


def typed(folder: Path, text: bytes, **how: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "maker_graph.cli", "review", "r"]
    done = subprocess.run(command, cwd=folder, input=text, capture_output=True, timeout=60, check=False, **how)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_they_are_answered_one_by_one_in_the_terminal(stopped: Cli, tmp_path: Path) -> None:
    first = typed(tmp_path, b"#1\n#" + b"9" * 5000 + b"\n#\nnothing\n1\xff\n2.50\nq\n")
    assert first.returncode == 3, first.stderr
    assert first.stderr.count("This was not taken: there are 0 candidates.") == 3
    assert "This was not taken: it is invalid" in first.stderr
    assert "This was not taken: it is malformed" in first.stderr
    assert statuses(tmp_path)[1] == "2.50"
    assert typed(tmp_path, b"\n").returncode == 3  # skipped
    assert typed(tmp_path, b"").returncode == 3  # the end of the input
    last = typed(tmp_path, b"4.50\n")
    assert (last.returncode, last.stdout, statuses(tmp_path)[3]) == (0, "", "4.50")
    assert stopped("review", "r").returncode == 0


def test_a_terminal_that_is_closed_ends_the_questions(stopped: Cli, tmp_path: Path) -> None:
    assert stopped("review", "r", "--list").returncode == 3
    done = typed(tmp_path, b"", preexec_fn=lambda: os.close(0))
    assert (done.returncode, "this should not happen" in done.stderr) == (3, False), done.stderr


@contextmanager
def one_answered(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]]:
    """Yield a review that was told the first of two answers, with what it reads and what it says."""
    command = [sys.executable, "-m", "maker_graph.cli", "review", "r"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"2.50\n")
        process.stdin.flush()
        while b"[2 of 2]" not in process.stderr.readline():
            pass
        yield process, process.stdin, process.stderr


def test_an_interrupt_leaves_what_was_answered_and_its_results(stopped: Cli, tmp_path: Path) -> None:
    assert stopped("review", "r", "--list").returncode == 3
    with one_answered(tmp_path) as (process, to, said):
        process.send_signal(signal.SIGINT)
        to.close()
        said.read()
    assert process.returncode == 130
    assert statuses(tmp_path)[1] == "2.50"


def test_results_that_cannot_be_written_are_told_and_the_answers_kept(stopped: Cli, tmp_path: Path) -> None:
    assert stopped("review", "r", "--list").returncode == 3
    (tmp_path / "out.jsonl").write_text("mine")
    done = typed(tmp_path, b"2.50\n4.50\n")
    assert (done.returncode, "was changed since" in done.stderr, "All answers are kept" in done.stderr) == (2, True, True)
    assert stopped("resume", "r", "--force", "--quiet").returncode == 0
    assert statuses(tmp_path)[1:4] == ["2.50", "3.00", "4.50"]


def test_whoever_was_taken_over_meanwhile_is_told_and_writes_nothing(stopped: Cli, tmp_path: Path) -> None:
    assert stopped("review", "r", "--list").returncode == 3
    with one_answered(tmp_path) as (process, to, said):
        assert stopped("resume", "r", "--quiet", "--out", "other.jsonl").returncode == 3
        to.write(b"4.50\n")
        to.close()
        told = said.read()
    assert (process.returncode, b"taken over this run" in told) == (130, True)
    assert statuses(tmp_path)[1] is None, "the results are those of the resume"


TORN = TASK.replace('("no price", ["none", "-"])', '("7.00", ["8.00"])')


@pytest.mark.parametrize("pick", [b"#1\n", b"1\n"])
def test_a_number_takes_a_candidate_where_it_is_no_reply(cli: Cli, tmp_path: Path, pick: bytes) -> None:
    (tmp_path / "shops.py").write_text(TORN.replace(".isdigit()", ".isdigit() and '.' in answer"))
    args = ("--model", "sim:perfect,error=.5", "--k", "6", "--max-samples", "8", "--run", "r", "--out", "out.jsonl", "--quiet")
    assert cli("run", "shops:Prices", *args).returncode == 3
    first = json.loads(cli("review", "r", "--json").stdout)["items"][0]
    assert len(first["ballot"]) == 2
    typed(tmp_path, pick + b"q\n")
    assert statuses(tmp_path)[first["item"] - 1] == json.loads(next(iter(first["ballot"])))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no answers"),
        (b'{"item": 2, "answer": "\xff"}\n', "line 1: this is not UTF-8"),
        (b'\0{"item": 2}', "NUL character"),
        (b"nonsense\n", "line 1: this is not JSON"),
        (b'{"item": 2}\n', 'an object with "item" and "answer"'),
        (b'{"item": "x", "answer": "1"}\n', "must be a whole number"),
        (b'{"item": true, "answer": "1"}\n', "must be a whole number"),
        (b'{"item": 2, "answer": "1"}\n{"item": 2, "answer": "2"}\n', "line 2: there are two answers to item 2"),
    ],
)
def test_an_odd_file_is_one_sentence_and_changes_nothing(stopped: Cli, tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "answers.jsonl").write_bytes(content)
    done = stopped("resume", "r", "--answers", "answers.jsonl", "--quiet")
    assert done.returncode == 2
    assert says in done.stderr
    assert statuses(tmp_path).count(None) == 2


def test_a_file_with_a_mark_at_its_beginning_and_answers_to_others_are_told(stopped: Cli, tmp_path: Path) -> None:
    answers = {3: "3.00", 1: "9.00", 77: "1", 2: None}
    lines = [{"item": item, "answer": answer} for item, answer in answers.items()]
    (tmp_path / "answers.jsonl").write_bytes(b"\xef\xbb\xbf" + "\n".join(map(json.dumps, lines)).encode())
    done = stopped("resume", "r", "--answers", "answers.jsonl", "--quiet")
    assert done.returncode == 3
    assert "Item 1: the answer was not taken: the item is decided already, by another answer" in done.stderr
    assert "Item 77: the answer was not taken: there is no item 77" in done.stderr
    assert "Item 3" not in done.stderr
    assert stopped("resume", "r", "--answers", "none.jsonl").returncode == 2


def test_an_answer_to_a_stuck_step_and_answers_to_items_do_not_go_together(stopped: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"item": 2, "answer": "2.00"}\n')
    done = stopped("resume", "r", "--answers", "a.jsonl", "--answer", "x")
    assert (done.returncode, "give one of them" in done.stderr) == (2, True)
    assert statuses(tmp_path)[1] is None


def test_a_task_without_items_has_no_queue(cli: Cli) -> None:
    assert cli("run", "hanoi", "--disks", "2", "--model", "sim:perfect", "--run", "r", "--quiet").returncode == 0
    done = cli("review", "r")
    assert (done.returncode, "has no items, so there is no review queue" in done.stderr) == (2, True)


def test_they_are_voted_on_once_more_if_that_is_asked_for(stopped: Cli, tmp_path: Path) -> None:
    path = tmp_path / "shops.py"
    before = json.loads(stopped("status", "r", "--json").stdout)
    still = stopped("resume", "r", "--retry-open", "--quiet", "--json")
    after = json.loads(still.stdout)
    assert (still.returncode, after["samples"] > before["samples"]) == (3, True), "the model is still at a loss"
    path.write_text(TASK.replace('text.startswith("?")', "False").replace("text +", 'text.strip("?=ab") + "7" +'))
    done = stopped("resume", "r", "--retry-open", "--quiet")
    assert done.returncode == 0, done.stderr
    assert statuses(tmp_path) == ["1.00", "7.00", "3.00", "7.00", "5.00"]
    again = stopped("resume", "r", "--retry-open", "--quiet", "--json")
    assert (again.returncode, json.loads(again.stdout)["digest"] is not None) == (0, True), "nothing is open any more"


def test_candidates_that_are_keys_are_not_offered_by_number(cli: Cli, tmp_path: Path) -> None:
    keyed = TASK.replace("class Prices", "class Keyed") + "    def key(self, answer):\n        return answer.strip('0')\n"
    torn = keyed.replace('["none", "-"]', '["1.0", "2.0"]').replace('Replies("no price"', 'Replies("3.0"')
    (tmp_path / "keyed.py").write_text(torn)
    args = ("--model", "sim:perfect,error=.7,favourite=.5", "--k", "9", "--max-samples", "9", "--seed", "1", "--run", "r", "-q")
    assert cli("run", "keyed:Keyed", *args).returncode == 3
    shown = cli("review", "r", "--list").stdout
    assert " for " in shown
    assert "#1" not in shown
