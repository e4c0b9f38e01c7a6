"""What is said: markup and what nobody can see are shown, and streams that are closed, full or poor change nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from maker_graph.cli import app
from tests.cli.commands import result
from tests.conftest import Cli, like_a_process

NAME = "[red]\u00fc[/red] [/b] :smile: \x1b[2J\u202e\r"
"""A name as nobody gives to a file, but somebody else might."""

SEEN = r"[red]ü[/red] [/b] :smile: \x1b[2J\u202e\r"


def test_markup_in_names_is_shown_and_what_nobody_can_see_is_an_escape(cli: Cli) -> None:
    run = ("run", "hanoi", "--disks", "2", "--model", "sim:perfect", "--run", f"./{NAME}/r")
    said = cli(*run, COLUMNS="300")
    assert (said.returncode, f"Run: {SEEN}/r" in said.stderr) == (0, True), said.stderr
    assert SEEN in cli(*run).stderr.replace("\n", " "), "in the error that it is there already, too"
    calibrated = cli("calibrate", "hanoi", "--disks", "2", "--model", "sim:perfect", "--out", f"{NAME}.jsonl", COLUMNS="300")
    assert f"Kept in {SEEN}.jsonl" in calibrated.stdout
    assert SEEN in cli("plan", f"./{NAME}").stderr


def test_what_a_model_and_a_task_say_is_shown_as_it_is(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from maker_graph.models.simulation import Replies\n"
        "class Odd:\n"
        "    def replies(self, prompt): return Replies('[/b]', ['[red]\\x1b[2J'])\n"
        "class Asks:\n"
        "    rehearsal = Odd()\n"
        "    def start(self): return 0\n"
        "    def done(self, state): return state > 0\n"
        "    def prompt(self, state): return '[bold]what[/] now, \\x1b]0;x\\x07?'\n"
        "    def parse(self, text): return {'text': text.replace('\\x1b', '')}\n"
        "    def apply(self, state, answer): return state + 1\n"
    )
    split = "sim:perfect,error=0.5,rho=0"
    done = cli("run", "mine:Asks", "--model", split, "--k", "9", "--max-samples", "9", "--hotter", "none", COLUMNS="300")
    assert done.returncode == 3, done.stderr
    for seen in ('for {"text":"[/b]"}', r"[red]\x1b[2J", r"[bold]what[/] now, \x1b]0;x\x07?"):
        assert seen in done.stderr


def test_a_terminal_that_cannot_show_a_character_gets_an_escape(tmp_path: Path) -> None:
    calibrate = ("calibrate", "hanoi", "--disks", "2", "--model", "sim:perfect", "--out", "z\u00fcrich.jsonl")
    with like_a_process(tmp_path):
        done = CliRunner(charset="ascii").invoke(app, calibrate, env={"COLUMNS": "300"}, catch_exceptions=False)
        wrong = CliRunner(charset="ascii").invoke(app, ["plan", "z\u00fc"], catch_exceptions=False)
    assert (done.exit_code, "Kept in z\\xfcrich.jsonl" in done.stdout) == (0, True)
    assert (wrong.exit_code, "z\\xfc cannot be read" in wrong.stderr) == (2, True)


def test_in_a_locale_that_knows_ascii_alone_a_run_is_made_looked_at_and_reported(process: Cli, tmp_path: Path) -> None:
    poor = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    (tmp_path / "mine.py").write_text(
        "from maker_graph.tasks import Hanoi\n"
        "class Mine(Hanoi):\n"
        "    def __init__(self): super().__init__(2)\n"
        "    def prompt(self, state): return [('system', 'Z\u00fcrich, \u20ac'), *super().prompt(state)]\n",
        encoding="utf-8",
    )
    run = process("run", "mine:Mine", "--model", "sim:perfect", "--run", "r", "--record", "calls.jsonl", "--json", **poor)
    assert run.returncode == 0, run.stderr
    assert result(process("verify", "r", "--trust", "--json"))["digest"] == result(run)["digest"]
    lines = (tmp_path / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["prompt"][0]["content"] for line in lines} == {"Z\u00fcrich, \u20ac"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    with like_a_process(folder):
        done = CliRunner().invoke(app, ["run", "hanoi", "--disks", "2", "--model", "sim:perfect", "--run", "r", "-q"])
    assert done.exit_code == 0
    return folder


@pytest.mark.parametrize(
    ("command", "streams", "code", "told"),
    [
        ("status r", ">&-", 0, ""),
        ("verify r --json", ">&- 2>&-", 0, ""),
        ("resume r", "2>&-", 0, ""),
        ("status r", "| true", 0, ""),
        ("status r --json", "| head -c 1", 0, ""),
        ("verify --help", "| head -c 1", 0, ""),
        ("status none --json", ">&- 2>&-", 2, ""),
        ("verify r --json", ">/dev/full", 4, "cannot be written (No space left on device): make room"),
        ("verify r --json", "2>/dev/full", 0, ""),
    ],
)
def test_nobody_has_to_listen_and_the_exit_code_is_right_all_the_same(
    finished: Path, command: str, streams: str, code: int, told: str
) -> None:
    line = f"{sys.executable} -m maker_graph.cli {command} {streams}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["/bin/bash", "-c", line], cwd=finished, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert not told or done.stderr.count("\n") == 1
    assert told or done.stderr == "" or "resume" in command
    for name in ("journal.db", "settings.json"):
        assert (finished / "runs" / "r" / name).read_bytes()[:6] in {b"SQLite", b'{\n  "v'}, "nothing was said into a file"
