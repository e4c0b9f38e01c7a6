"""The command line as a process that is killed, told to stop, or not alone."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import result
from tests.conftest import Cli
from tests.survival.harness import Children, wait_until


def committed(folder: Path) -> int:
    path = folder / "journal.db"
    if not path.is_file():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT coalesce(max(step), 0) FROM steps").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def wait_for(folder: Path, step: int) -> None:
    wait_until(lambda: committed(folder) >= step, 60)


SLOW = ("--disks", "6", "--model", "sim:gpt-oss-20b,latency=0.01", "--k", "3", "--price", "0.05,0.2", "--json")


def differing(summary: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in summary.items() if name not in {"run", "seconds", "sessions", *names}}


@pytest.mark.parametrize("lookahead", ["1", "8", "auto"])
def test_kill_9_at_random_steps_and_resume_to_the_digest_of_an_unkilled_run(
    lookahead: str, cli: Cli, children: Children, tmp_path: Path
) -> None:
    whole = result(cli("run", "hanoi", *SLOW, "--run", "whole"))
    child = children.start(tmp_path, "command", args=["run", "hanoi", *SLOW, "--run", "killed", "--lookahead", lookahead])
    for step in (3, 17, 31, 50):
        wait_for(tmp_path / "runs" / "killed", step)
        assert child.kill() == -signal.SIGKILL, child.said
        child = children.start(tmp_path, "command", args=["resume", "killed", "--json"])
    assert child.wait(60) == 0, child.said
    killed = json.loads(child.said[0])
    differ = ["samples", "tokens", "cost_usd", "drafts", "dropped"] if lookahead != "1" else []
    if differ:
        assert killed["drafts"]["calls"] > 0, "a resume goes on as it was begun"
        assert killed["samples"] - killed["dropped"] == whole["samples"]
    assert differing(killed, *differ) == differing(whole, *differ), "the same steps, votes, samples and costs, each once"
    assert (whole["sessions"], killed["sessions"]) == (1, 5)
    assert killed["cost_usd"] > 0
    assert killed["seconds"] > 0.5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_130_and_the_run_can_go_on(
    cli: Cli, children: Children, tmp_path: Path, number: signal.Signals
) -> None:
    child = children.start(tmp_path, "command", args=["run", "hanoi", *SLOW, "--run", "r"])
    wait_for(tmp_path / "runs" / "r", 5)
    child.send(number)
    assert child.wait() == 130, child.said
    out, err = child.said
    assert "maker-graph resume" in err
    assert "Traceback" not in err
    assert 5 <= json.loads(out)["steps"] < 63
    assert result(cli("resume", "r", "--json"))["verified"]


def test_a_second_process_on_the_same_run_is_refused_and_no_step_happens_twice(
    cli: Cli, children: Children, tmp_path: Path
) -> None:
    first = children.start(tmp_path, "command", args=["run", "hanoi", *SLOW, "--run", "r"])
    wait_for(tmp_path / "runs" / "r", 5)
    second = children.start(tmp_path, "command", args=["resume", "r", "--json"])
    codes = [first.wait(), second.wait()]
    assert codes in ([130, 0], [0, 0]), (first.said, second.said)
    if codes[0]:
        assert "taken over" in first.said[1]
    assert result(cli("verify", "r", "--json"))["verified"]


def test_max_minutes_stops_a_run_that_hangs(children: Children, tmp_path: Path) -> None:
    hangs = ("--disks", "3", "--model", "sim:perfect,latency=3000")
    child = children.start(tmp_path, "command", args=["run", "hanoi", *hangs, "--max-minutes", "0.02"])
    assert child.wait() == 4, child.said


def test_python_m_maker_graph_cli_is_the_command_and_its_exit_code_is_the_shells(process: Cli) -> None:
    run = ("run", "hanoi", "--disks", "2", "--k", "1", "--model", "sim:perfect", "--json", "--quiet")
    whole, limited, wrong = process(*run), process(*run, "--max-calls", "2"), process(*run, "--max-calls", "few")
    assert (whole.returncode, result(whole)["steps"], whole.stderr) == (0, 3, "")
    assert (limited.returncode, result(limited)["steps"]) == (4, 2)
    assert (wrong.returncode, result(wrong)["exit_code"], "--max-calls" in result(wrong)["reason"]) == (2, 2, True)


HANGS = """
import asyncio, os, signal, time
from maker_graph.cli import process
from maker_graph.cli.session import _hung
process.EXIT_SECONDS = 0.2
async def work():
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.to_thread(time.sleep, 60)
process.until_signal(work(), hung=_hung)
"""


def test_what_cannot_be_cancelled_ends_with_130_and_its_object_too(children: Children, tmp_path: Path) -> None:
    child = children.start(tmp_path, "script", source=HANGS)
    assert child.wait() == 130, child.said
    assert json.loads(child.said[0]) == {"exit_code": 130, "reason": "Interrupted; a call did not end in time."}
