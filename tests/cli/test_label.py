"""`maker-graph label` and `audit`: asked at the terminal, kept line by line, and said in plain words."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from maker_graph.run.labels import read_labels
from maker_graph.statistics.drawing import drawn as order
from tests.conftest import Cli

TASK = """
from maker_graph import Items
from maker_graph.simulation import Replies

class Words(Items):
    def __init__(self, wrong: int = 0):
        self.items = ["a", "b", "c", "d", "e", "f"]
        self.wrong = wrong
    def prompt(self, item):
        return f"In upper case: {item}"
    def parse(self, text):
        if not text.isupper():
            raise ValueError("no upper case")
        return text
    def check(self, item, answer):
        return len(answer) == 1
    def truth(self, item):
        return item.upper()
    def rehearse(self, item):
        return Replies("Z" if "abcdef".index(item) < self.wrong else item.upper(), ["X", "Y"])
"""


@pytest.fixture
def words(tmp_path: Path, cli: Cli) -> Cli:
    """Make a run of six words, the first two of them decided wrongly; return what ran it."""
    (tmp_path / "words.py").write_text(TASK)
    args = ("--model", "sim:perfect", "--k", "2", "--run", "r", "--set", "wrong=2", "--quiet")
    assert cli("run", "words:Words", *args).returncode == 1
    return cli


def typed(folder: Path, text: bytes, *args: str, **how: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "maker_graph.cli", *args]
    done = subprocess.run(command, cwd=folder, input=text, capture_output=True, timeout=60, check=False, **how)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def drawn(folder: Path, name: str = "runs/r/audit.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def test_an_audit_asks_at_the_terminal_and_says_its_bound(words: Cli, tmp_path: Path) -> None:
    assert words("audit", "r", "--random", "0").stdout.startswith(
        "Of 6 decided items, 0 drawn at random were checked; 0 are wrong."
    )
    first = typed(tmp_path, b"lower\nA\xff\nTOO LONG\nQ\n?\nq\n", "audit", "r", "--random", "4", "--who", "an\x1bna")
    assert first.returncode == 0, first.stderr
    for said in (
        "[1 of 4] Step ",
        "In upper case: ",
        "not taken: it is malformed",
        "not taken: it is invalid",
        "2 of 4 labels count so far",
    ):
        assert said in first.stderr
    assert first.stdout.startswith(
        "Of 6 decided items, 2 drawn at random were checked; 1 is wrong, and 1 that nobody could tell"
    )
    header, label, unsure = drawn(tmp_path)
    assert (header["use"], header["population"], header["task"], header["options"]) == (
        "certify",
        6,
        "words:Words",
        {"wrong": 2},
    )
    assert (label["answer"], label["candidate"], label["who"]) == ("Q", '"Q"', "an\\x1bna")
    assert unsure["unsure"] is True
    assert "Z" not in first.stderr.replace("TOO LONG", ""), "what the model decided is not shown"
    again = typed(tmp_path, b"\n", "audit", "r", "--json")
    assert json.loads(again.stdout)["drawn"] == 2


def test_the_truth_audits_without_asking(words: Cli, tmp_path: Path) -> None:
    done = words("audit", "r", "--truth", "--json", "--seed", "4")
    found = json.loads(done.stdout)
    assert (found["exit_code"], found["drawn"], found["wrong"], found["most"], found["share"]) == (0, 6, 2, 2, 2 / 6)
    assert (sorted(found["wrong_steps"]), found["run"], drawn(tmp_path)[0]["seed"]) == ([1, 2], "r", 4)
    done = words("audit", "r")
    assert (
        "Of 6 decided items, 6 drawn at random were checked; 2 are wrong. With 95 % confidence, at most 2 of all 6 are wrong."
        in done.stdout
    )
    assert done.stderr.count("is not as its label says") == 2


def test_a_step_is_labelled_again(words: Cli, tmp_path: Path) -> None:
    words("audit", "r", "--truth")
    done = typed(tmp_path, b"Z\n", "audit", "r", "--again", "1")
    assert "6 drawn at random were checked; 1 is wrong." in done.stdout
    assert words("audit", "r", "--again", "99").returncode == 2


def test_labels_are_drawn_from_a_task_without_a_run(words: Cli, tmp_path: Path) -> None:
    args = ("label", "--task", "words:Words", "--set", "wrong=2", "--random", "3", "--labels", "l.jsonl")
    first = typed(tmp_path, b"A\n", *args, "--use", "choose", "--seed", "1")
    assert (first.returncode, first.stdout) == (0, "l.jsonl: 1 of 3 steps are labelled, drawn from 6.\n")
    refused = words(*args)
    assert (refused.returncode, "whose use is 'choose', not 'certify'" in refused.stderr) == (2, True)
    done = json.loads(words(*args, "--use", "choose", "--truth", "--json").stdout)
    assert (done["labelled"], done["population"], done["alike"], done["exit_code"]) == (3, 6, [], 0)
    assert len(read_labels(tmp_path / "l.jsonl", "choose")[1]) == 3
    refused = words("audit", "r", "--labels", "l.jsonl")
    assert (refused.returncode, "whose use is 'choose'" in refused.stderr) == (2, True)


def test_near_duplicates_are_told(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text(TASK.replace('["a", "b", "c", "d", "e", "f"]', '["a1", "A  2", "b", "a 3"]'))
    done = cli("label", "--task", "words:Words", "--truth", "--labels", "l.jsonl")
    assert "2 of the labelled steps ask the same as another one" in done.stderr
    assert "as many different ones: 2, 4." in done.stderr


def test_a_run_of_hanoi_is_labelled_in_the_states_that_it_went_through(cli: Cli, tmp_path: Path) -> None:
    assert cli("run", "hanoi", "--disks", "3", "--model", "sim:perfect", "--run", "r", "--quiet").returncode == 0
    done = cli("label", "r", "--truth", "--random", "3", "--json")
    assert json.loads(done.stdout)["labelled"] == 3
    seed = next(seed for seed in range(99) if next(order(7, seed)) == 1)
    reply = b"move = [1, 0, 2]\\nnext_state = [[3, 2], [], [1]]\n"
    done = typed(tmp_path, reply, "audit", "r", "--random", "7", "--seed", str(seed))
    assert "7 decided steps, 1 drawn at random was checked; 0 are wrong." in done.stdout
    assert drawn(tmp_path)[1]["answer"] == {"move": [1, 0, 2], "next_state": [[3, 2], [], [1]]}


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("label",), "Name a run, or a task with --task"),
        (("label", "r", "--disks", "3"), "A run has its options already"),
        (("label", "r", "--use", "show"), "--use must be certify, choose or example, not 'show'"),
        (("label", "none"), "is not a run"),
        (("label", "--task", "nothing"), "There is no task"),
        (("audit", "r", "--confidence", "95"), "between 0 and 1"),
        (("audit", "r", "--labels", "words.py"), "something other than labels"),
        (("audit", "r", "--labels", "."), "is a folder"),
        (("audit", "r", "--labels", "no/l.jsonl", "--truth"), "cannot be written"),
        (("audit", "r", "--again", "1", "--truth"), "somebody must be asked"),
    ],
)
def test_what_cannot_be_is_one_sentence(words: Cli, args: tuple[str, ...], says: str) -> None:
    done = words(*args)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    assert done.stderr.count("\n") == 1


@contextmanager
def one_labelled(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]]:
    """Yield an audit that was told the first label, with what it reads and what it says."""
    command = [sys.executable, "-m", "maker_graph.cli", "audit", "r"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"Q\n")
        process.stdin.flush()
        while b"[2 of 6]" not in process.stderr.readline():
            pass
        yield process, process.stdin, process.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_what_was_answered_is_kept_however_it_ends(words: Cli, tmp_path: Path, number: signal.Signals, code: int) -> None:
    with one_labelled(tmp_path) as (process, to, said):
        process.send_signal(number)
        to.close()
        said.read()
    assert process.returncode == code
    assert len(drawn(tmp_path)) == 2
    assert json.loads(words("audit", "r", "--truth", "--json").stdout)["drawn"] == 6


def test_two_at_the_terminal_are_asked_about_different_steps(words: Cli, tmp_path: Path) -> None:
    assert words("status", "r").returncode == 0
    with one_labelled(tmp_path) as (process, to, said):
        other = typed(tmp_path, b"Q\nq\n", "audit", "r")
        assert "[3 of 6]" in other.stderr
        assert "[2 of 6]" not in other.stderr
        assert "1 label does not count yet" in other.stderr
        to.write(b"Q\nq\n")
        to.close()
        said.read()
    assert process.returncode == 0
    assert json.loads(typed(tmp_path, b"", "audit", "r", "--json").stdout)["drawn"] == 3


def test_a_terminal_that_is_closed_ends_the_questions(words: Cli, tmp_path: Path) -> None:
    assert words("status", "r").returncode == 0
    done = typed(tmp_path, b"", "audit", "r", preexec_fn=lambda: os.close(0))
    assert (done.returncode, "this should not happen" in done.stderr) == (0, False), done.stderr


def test_certify_and_the_report_say_what_they_cannot_see_and_what_was_audited(words: Cli, tmp_path: Path) -> None:
    words("audit", "r", "--truth")
    assert "no certificate can see" not in words("certify", "r").stderr
    said = " ".join(words("certify", "r").stdout.split())
    assert "If its samples err in the same way, they agree" in said
    assert "maker-graph audit can" in said
    assert words("report", "r", "--task", "words:Words").returncode == 0
    page = (tmp_path / "runs" / "r" / "report.html").read_text()
    assert "If its samples err in the same way, they agree" in page
    assert "6 drawn at random were checked; 2 are wrong" in page
    assert "audit.jsonl (SHA-256 " in page
