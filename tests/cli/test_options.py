"""How the texts of options are read."""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from maker_graph.cli.options import (
    calibrations_named,
    directory_of,
    models_named,
    parse_k,
    parse_lookahead,
    parse_retry_temperature,
    parse_temperature,
)
from maker_graph.errors import UsageError
from tests.cli.commands import result
from tests.conftest import Cli


def test_texts_are_read_as_the_help_says() -> None:
    assert (parse_k("auto"), parse_k("3")) == ("auto", 3)
    assert (parse_lookahead(None), parse_lookahead("auto"), parse_lookahead("8")) == (None, "auto", 8)
    assert [parse_temperature(text) for text in ("auto", "none", "0,.1", ".7")] == ["auto", None, (0.0, 0.1), (0.7, 0.7)]
    assert [parse_retry_temperature(text) for text in ("none", "1", "1,1")] == [None, 1.0, 1.0]


@pytest.mark.parametrize("text", ["", "-1", "1.5", "\u0663", "many"])
def test_what_is_no_whole_number_is_none(text: str) -> None:
    for parse in (parse_k, parse_lookahead):
        with pytest.raises(UsageError, match="whole number"):
            parse(text)


@pytest.mark.parametrize("text", ["", "hot", "nan", "inf", "-1", "0,-1", "0,.1,.2"])
def test_what_is_no_temperature_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="emperature"):
        parse_temperature(text)


@pytest.mark.parametrize("text", ["auto", "0,1"])
def test_a_retry_has_one_temperature(text: str) -> None:
    with pytest.raises(UsageError, match="--retry-temperature must be one temperature"):
        parse_retry_temperature(text)


def test_a_run_goes_by_its_name_or_its_directory(tmp_path: Path) -> None:
    assert directory_of("mine") == Path("runs") / "mine"
    assert directory_of("here/mine") == Path("here/mine")
    assert directory_of("x" * 300) == Path("runs") / ("x" * 300), "which is refused with a sentence"
    (tmp_path / "settings.json").touch()
    assert directory_of(str(tmp_path)) == tmp_path


def test_leads_and_models_are_said_by_part() -> None:
    assert parse_k("3") == 3
    assert parse_k("choose=3, verdict=auto") == {"choose": 3, "verdict": "auto"}
    for text, says in (
        ("choose=", "NAME=VALUE"),
        ("choose=3,verdict", "NAME=VALUE"),
        ("a=1,a=2", "names the part 'a' twice"),
        ("a=x", "whole number"),
    ):
        with pytest.raises(UsageError, match=says):
            parse_k(text)
    assert calibrations_named([]) is None
    assert calibrations_named(["c.jsonl"]) == Path("c.jsonl")
    assert calibrations_named(["a=x.jsonl", "b=y.jsonl"]) == {"a": Path("x.jsonl"), "b": Path("y.jsonl")}


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("sim:perfect,error=.1", "sim:perfect,error=.1"),
        ("", ""),
        ("a=sim:perfect,error=.1,latency=.02,b=openai:y", {"a": "sim:perfect,error=.1,latency=.02", "b": "openai:y"}),
        ("choose=tiny, verdict=tiny", {"choose": "tiny", "verdict": "tiny"}),
        ("choose=openai:x=1", {"choose": "openai:x=1"}),
    ],
)
def test_a_model_is_for_all_parts_or_for_each_by_its_name(model: str, named: object) -> None:
    assert models_named(model) == named


def test_a_part_that_is_not_there_is_refused_with_those_there_are(cli: Cli) -> None:
    for args in (("--model", "choose=sim:perfect"), ("--k", "choose=3")):
        done = cli("run", "hanoi", "--disks", "2", *args)
        assert (done.returncode, "names 'choose', which is not a voted part" in done.stderr) == (2, True), done.stderr


TASK = """
import os
from pathlib import Path
from maker_graph.tasks import Hanoi

class Task(Hanoi):
    def __init__(self, rows: Path, disks: int = 2, names: list[str] | None = None):
        with open("made", "a") as file:
            file.write(f"{os.getpid()} {disks} {names} {rows}\\n")
        super().__init__(disks)
        self.rows = rows.read_text()

class Bare(Hanoi):
    def __init__(self): super().__init__(2)
"""
OPTIONS = ("--input", "rows.txt", "--set", "disks=3", "--set", 'names=["a", "b"]')
PERFECT = ("--model", "sim:perfect", "--k", "1")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Write a task that reads a file; return the file, of the processes that make it, in which each says so."""
    (tmp_path / "own_task.py").write_text(TASK)
    (tmp_path / "rows.txt").write_text("rows")
    return tmp_path / "made"


def test_a_task_is_made_once_in_each_process_whatever_the_command(cli: Cli, own: Path) -> None:
    stop = ("--max-calls", "3")
    for args in (
        ("run", "own_task:Task", *OPTIONS, *PERFECT, *stop, "--run", "r"),
        ("resume", "r", "--max-calls", "99"),
        ("resume", "r", "--task", "own_task:Task"),
        ("status", "r", "--trust"),
        ("verify", "r", "--task", "own_task:Task"),
        ("report", "r", "--trust"),
        ("calibrate", "own_task:Task", *OPTIONS, "--model", "sim:perfect", "--steps", "3", "-q"),
        ("check-task", "own_task:Task", *OPTIONS),
    ):
        own.unlink(missing_ok=True)
        done = cli(*args)
        assert done.returncode == (4 if stop[0] in args and "run" in args else 0), (args, done.stderr)
        made = Counter(own.read_text().splitlines())
        assert set(made.values()) == {1}, args
        assert len(made) == (3 if "check-task" in args else 1), "it tries the task in two other processes"
        assert all(line.endswith(f" 3 ['a', 'b'] {own.with_name('rows.txt')}") for line in made), made


def test_options_are_kept_with_the_run_and_an_input_that_was_changed_is_refused(cli: Cli, tmp_path: Path, own: Path) -> None:
    assert cli("run", "own_task:Task", *OPTIONS, *PERFECT, "--max-calls", "3", "--run", "r").returncode == 4
    settings = json.loads((tmp_path / "runs" / "r" / "settings.json").read_text())
    assert settings["options"] == {"rows": str(tmp_path / "rows.txt"), "disks": 3, "names": ["a", "b"]}
    assert settings["inputs"] == {"rows": sha256(b"rows").hexdigest()}
    (tmp_path / "rows.txt").write_text("others")
    own.unlink()
    for command in (("resume", "r"), ("status", "r", "--trust"), ("verify", "r", "--task", "own_task:Task")):
        refused = cli(*command, "--json")
        said = "rows.txt is no longer the file that this run began with: put that one back, or start a new run."
        assert (refused.returncode, said in result(refused)["reason"]) == (2, True)
    assert not own.exists(), "it was not even made"
    assert cli("status", "r").returncode == 0, "what is not replayed needs no input"
    (tmp_path / "rows.txt").write_text("rows")
    assert result(cli("resume", "r", "--max-calls", "99", "--json"))["verdict"] == "proved"


@pytest.mark.parametrize("command", ["run", "check-task", "calibrate"])
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("own_task:Task", "--set", "disks=3"), "own_task:Task needs rows (Path): give --input FILE, or --set rows=VALUE."),
        (("own_task:Task", *OPTIONS[:2], "--set", "disk=3"), "no option 'disk': its options are rows (Path, required), disks"),
        (("own_task:Task", *OPTIONS[:2], "--set", "disks=three"), "disks=three does not fit int"),
        (("own_task:Task", *OPTIONS[:2], "--set", "disks"), "--set needs NAME=VALUE, not 'disks'."),
        (("own_task:Task", *OPTIONS[:2], "--set", "rows=other"), "rows is given twice"),
        (("own_task:Task", *OPTIONS, "--disks", "3"), "disks is given twice"),
        (("own_task:Bare", "--input", "rows.txt"), "own_task:Bare takes no input file: leave out --input."),
        (("own_task:Bare", "--disks", "3"), "own_task:Bare has no option 'disks': it takes none."),
        (("hanoi", "--input", "rows.txt"), "hanoi takes no input file: leave out --input."),
        (("hanoi", "--set", "disks=0"), "Hanoi needs at least 1 disk"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("own")
def test_options_that_a_task_does_not_take_are_refused(cli: Cli, command: str, args: tuple[str, ...], says: str) -> None:
    more = {"run": (), "check-task": (), "calibrate": ("--model", "sim:perfect", "--no-truth")}[command]
    done = cli(command, *args, *more)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_tasks_that_ship_take_set_too(cli: Cli, tmp_path: Path) -> None:
    assert result(cli("run", "hanoi", "--set", "disks=2", "--set", "target=1", *PERFECT, "--json"))["verdict"] == "proved"
    (tmp_path / "rows.csv").write_text('address,date,amount\n"1 Elm St., 10115 Kiel",3.4.24,$5\n')
    done = cli("run", "records", "--set", "input=rows.csv", "--out", "o.csv", *PERFECT, "--json", "--run", "r")
    assert result(done)["verdict"] == "consistent"
    settings = json.loads((tmp_path / "runs" / "r" / "settings.json").read_text())
    assert (settings["options"], list(settings["inputs"])) == ({"input": str(tmp_path / "rows.csv")}, ["input"])


@pytest.mark.usefixtures("own")
def test_a_task_that_writes_nothing_takes_no_out(cli: Cli) -> None:
    done = cli("run", "own_task:Task", *OPTIONS, *PERFECT, "--out", "o.csv")
    assert (done.returncode, "no results to write: leave out" in done.stderr) == (2, True)
