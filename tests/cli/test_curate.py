"""`maker-graph run curate`: for each reason why people leave other tools, what happens here."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from maker_graph.runs import Run
from tests.conftest import Cli
from tests.models.serving import completion

EXAMPLE = Path(__file__).parents[2] / "examples" / "curate"
SCHEMA = {
    "type": "object",
    "properties": {"drink": {"type": "string"}, "count": {"type": "integer", "minimum": 1}},
    "required": ["drink", "count"],
}
RUN = ("run", "curate", "--input", "t.csv", "--schema", "s.json", "--out", "o.csv", "--run", "r", "-q", "--no-probe")


class Provider:
    """A server that reads rows as `2 Tea`; it never understands `?`, and does not accept a row that is `long`.

    Attributes:
        asked: row -> how often.
    """

    def __init__(self) -> None:
        self.asked = Counter[str]()
        self.understands = False
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = provider.answer(json.loads(body["messages"][-1]["content"])["text"])
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, text: str) -> tuple[int, dict[str, Any]]:
        self.asked[text] += 1
        time.sleep(0.01)
        if text == "long":
            return 400, {"error": {"message": "too long", "code": "context_length_exceeded"}}
        count, _, drink = ("1 Water" if text == "?" and self.understands else text).partition(" ")
        reply = json.dumps({"drink": drink, "count": int(count)}) if drink else "I cannot tell."
        choice = {"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}
        return 200, completion(id=f"{sum(self.asked.values())}", choices=[choice])


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    (tmp_path / "s.json").write_text(json.dumps(SCHEMA))
    made = Provider()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{made.http.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    yield made
    made.http.shutdown()
    made.http.server_close()


def table(folder: Path, *texts: str) -> None:
    (folder / "t.csv").write_text("text\n" + "".join(f"{text}\n" for text in texts))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


MODEL = ("--model", "openai:gpt-4.1-nano", "--k", "2")


def test_one_bad_row_costs_the_others_nothing_and_no_row_is_undone_in_silence(
    cli: Cli, tmp_path: Path, provider: Provider
) -> None:
    table(tmp_path, "2 Tea", "?", "long", "3 Coffee")
    done = cli(*RUN, *MODEL, "--stuck-after", "2", "--provenance", "p.jsonl")
    assert done.returncode == 3, done.stderr
    assert "2 of 4 items are left open for a person" in done.stderr
    assert "Step 3 is left open" in done.stderr
    assert "too long" in done.stderr
    assert [(row["drink"], row["count"], row["status"]) for row in read(tmp_path / "o.csv")] == [
        ("Tea", "2", "decided by vote"),
        ("", "", "open"),
        ("", "", "open"),
        ("Coffee", "3", "decided by vote"),
    ]
    assert [row["row"] for row in read(tmp_path / "o.review.csv")] == ["2", "3"]
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [(line["number"], line["status"], line["by"]) for line in lines] == [
        (1, "decided", "vote"),
        (2, "open", None),
        (3, "open", None),
        (4, "decided", "vote"),
    ]
    assert lines[0]["votes"][0]["ballot"] == {'{"count":2,"drink":"Tea"}': 2}
    assert provider.asked["2 Tea"] == 2


def test_the_results_are_written_anew_when_a_person_answers_and_nobody_is_asked_again(
    cli: Cli, tmp_path: Path, provider: Provider
) -> None:
    table(tmp_path, "2 Tea", "?")
    assert cli(*RUN, *MODEL, "--stuck-after", "2", "--provenance", "p.jsonl").returncode == 3
    asked = provider.asked.copy()
    (tmp_path / "a.jsonl").write_text('{"item": 2, "answer": {"drink": "Water", "count": 0}}\n')
    done = cli("resume", "r", "--answers", "a.jsonl", "-q")
    assert (done.returncode, "count: 0 is less than" in done.stderr) == (3, True)
    (tmp_path / "a.jsonl").write_text('{"item": 2, "answer": {"drink": "Water", "count": 1}}\n')
    assert cli("resume", "r", "--answers", "a.jsonl", "-q").returncode == 0
    assert [row["status"] for row in read(tmp_path / "o.csv")] == ["decided by vote", "decided by person"]
    assert not (tmp_path / "o.review.csv").exists()
    assert json.loads((tmp_path / "p.jsonl").read_text().splitlines()[1])["by"] == "person"
    assert provider.asked == asked


def test_until_all_rows_were_tried_there_are_no_results(cli: Cli, tmp_path: Path, provider: Provider) -> None:
    table(tmp_path, *(f"{number} Tea" for number in range(1, 41)))
    assert cli(*RUN, *MODEL, "--max-calls", "20", "--provenance", "p.jsonl").returncode == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "s.json", "t.csv"]
    assert cli("resume", "r", "--max-calls", "1000", "-q").returncode == 0
    assert len(read(tmp_path / "o.csv")) == len((tmp_path / "p.jsonl").read_text().splitlines()) == 40
    assert sum(provider.asked.values()) <= 80 + 20, "what was in flight at the limit, and no more"


def test_after_kill_9_nothing_that_was_done_is_paid_for_again(tmp_path: Path, provider: Provider) -> None:
    table(tmp_path, *(f"{number} Tea" for number in range(1, 61)))
    command = [sys.executable, "-m", "maker_graph.cli"]
    process = subprocess.Popen([*command, *RUN, *MODEL, "--concurrency", "4"], cwd=tmp_path, env=os.environ.copy())
    while sum(provider.asked.values()) < 50 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "o.csv").exists()
    with Run.open(tmp_path / "runs" / "r") as run:
        done = [f"{number} Tea" for number in range(1, run.step + 1)]
    assert 0 < len(done) < 60
    before = provider.asked.copy()
    subprocess.run([*command, "resume", "r", "-q"], cwd=tmp_path, check=True)
    again = provider.asked - before
    assert not set(done) & set(again)
    assert [row["status"] for row in read(tmp_path / "o.csv")] == ["decided by vote"] * 60
    assert sum(provider.asked.values()) <= 2 * 60 + 4 * 2 + 8


def test_a_program_that_fails_is_mended_and_the_run_goes_on(cli: Cli, tmp_path: Path, provider: Provider) -> None:
    table(tmp_path, "2 Tea", "3 Coffee", "4 Milk")
    code = "def program(row):\n    count, drink = row['text'].split()\n    return {'drink': drink, 'count': int(count)FAULT}\n"
    (tmp_path / "p.py").write_text(code.replace("FAULT", " if drink != 'Milk' else 'four'"))
    done = cli(*RUN, *MODEL, "--program", "p.py:program")
    assert (done.returncode, "The program on row 3: this is not a record" in done.stderr) == (2, True)
    assert not (tmp_path / "o.csv").exists()
    (tmp_path / "p.py").write_text(code.replace("FAULT", ""))
    assert cli("resume", "r", "-q", "--trust").returncode == 0
    assert [row["status"] for row in read(tmp_path / "o.csv")] == ["decided by program"] * 3
    assert not provider.asked


def test_a_table_or_a_schema_that_changed_is_refused(cli: Cli, tmp_path: Path, provider: Provider) -> None:
    table(tmp_path, "2 Tea", "?")
    assert cli(*RUN, *MODEL, "--stuck-after", "2").returncode == 3
    asked = sum(provider.asked.values())
    for name, other in (("t.csv", "text\n2 Tea\n3 Milk\n"), ("s.json", json.dumps({**SCHEMA, "title": "x"}))):
        before = (tmp_path / name).read_text()
        (tmp_path / name).write_text(other)
        done = cli("resume", "r", "--retry-open", "-q")
        problem = f"{name} is no longer the file that this run began with"
        assert (done.returncode, problem in done.stderr) == (2, True), done.stderr
        (tmp_path / name).write_text(before)
    assert sum(provider.asked.values()) == asked


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (("--schema", "s.json", "--out", "t.csv", "--force"), "would overwrite the input"),
        (("--schema", "s.json", "--out", "link.csv", "--force"), "would overwrite the input"),
        (("--schema", "s.json", "--out", "o.txt"), "must end in .csv, .jsonl"),
        (("--schema", "s.json"), "curate needs --input FILE and --out FILE"),
        (("--out", "o.csv"), "curate needs schema"),
        (("--schema", "s.json", "--out", "o.csv", "--provenance", "o.review.csv"), "is a file of the results"),
        (("--schema", "s.json", "--out", "o.csv", "--provenance", "t.csv", "--force"), "would overwrite the input"),
        (("--schema", "s.json", "--out", "o.csv", "--prefix", "x", "--examples", "t.csv"), "has no column"),
    ],
)
def test_what_would_go_wrong_is_told_before_anything_is_made(
    cli: Cli, tmp_path: Path, provider: Provider, more: tuple[str, ...], problem: str
) -> None:
    table(tmp_path, "2 Tea")
    (tmp_path / "link.csv").symlink_to("t.csv")
    before = sorted(path.name for path in tmp_path.iterdir())
    done = cli("run", "curate", "--input", "t.csv", *MODEL, "--run", "r", "-q", *more)
    assert (done.returncode, problem in done.stderr) == (2, True), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "t.csv").read_text() == "text\n2 Tea\n"
    assert not provider.asked


@pytest.mark.parametrize("more", [(), ("--per-field",)])
def test_the_shipped_example_runs_offline_and_every_wrong_row_is_known(cli: Cli, tmp_path: Path, more: tuple[str, ...]) -> None:
    for path in EXAMPLE.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    said = re.search(r"maker-graph (run curate .*?\n.*?)\n\n", (tmp_path / "orders.py").read_text())
    assert said is not None
    done = cli(*said[1].replace("\\\n", "").split(), *more, "--run", "r", "-q", "--json")
    found = json.loads(done.stdout)
    rows, right = read(tmp_path / "clean.csv"), read(tmp_path / "labelled.csv")
    assert len(rows) == len(right) == 60
    assert sum(row["status"] == "decided by program" for row in rows) == 23
    shown = right[0].keys()
    wrong = [
        row
        for row, known in zip(rows, right, strict=True)
        if row["status"] != "open" and any(row[name] != known[name] for name in shown)
    ]
    assert len(wrong) <= found["wrong"] if more else len(wrong) == found["wrong"]
    assert done.returncode == (1 if found["wrong"] else 3 if any(row["status"] == "open" for row in rows) else 0)


def test_a_schema_that_is_code_runs_only_if_the_run_is_trusted(cli: Cli, tmp_path: Path) -> None:
    for path in EXAMPLE.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    said = ("--input", "orders.csv", "--schema", "orders.py:Order", "--truth", "labelled.csv", "--out", "o.csv")
    assert cli("run", "curate", *said, "--model", "sim:perfect", "--k", "1", "--run", "r", "-q").returncode == 0
    (tmp_path / "orders.py").write_text("raise SystemExit('it ran')\n")
    done = cli("verify", "r")
    assert "it ran" not in done.stdout + done.stderr
    assert "--task curate" in done.stdout + done.stderr or "not computed" in done.stdout
