"""What holds for all commands: mistakes are one sentence, and the help has examples."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from maker_graph.cli import app
from tests.cli.commands import SIM
from tests.conftest import Cli

ROWS = Path(__file__).parents[2] / "examples" / "records" / "records.csv"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["run", "chess"], "hanoi, records"),
        (["run", "hanoi", "--lookahead", "0"], "at least 1, or auto"),
        (["run", "hanoi", "--lookahead", "many"], "at least 1, or auto"),
        (["run", "hanoi", "--lookahead", "auto"], "tiny has not learned to draft"),
        (["run", "hanoi", "--model", ""], "names no model"),
        (["run", "hanoi", "--lookahead", "4", "--draft-model", "sim:none"], "There is no simulated model"),
        (["run", "tests.graph.test_maker:Countdown", "--model", "sim:perfect", "--lookahead", "4"], "draft_prompt"),
        (["run", "nopackage.here:x"], "There is no module nopackage"),
        (["run", "os:sep"], "cannot be made"),
        (["run", "json:loads"], "json:loads needs s (str): give --s VALUE, or --set s=VALUE"),
        (["run", "json:JSONDecoder"], "not a task"),
        (["run", "hanoi", "--model", "gpt-4.1-mini"], "provider:model"),
        (["run", "hanoi", "--model", "sim:gpt-9"], "gpt-oss-20b"),
        (["run", "hanoi", "--model", "openai:gpt-4.1-mini"], "OPENAI_API_KEY"),
        (["run", "hanoi", "--model", "anthropic:claude"], "install"),
        (["run", "hanoi", "--disks", "0"], "at least 1 disk"),
        (["run", "hanoi", "--disks", "two"], "Invalid value for '--disks': "),
        (["run", "hanoi", "--k", "3", "--target", "95"], "between 0 and 1, not 95"),
        (["run", "hanoi", "--labelled", "x.csv"], "--labelled is for curate. hanoi does not take it"),
        (["run", "hanoi", "--examples", "x.jsonl"], "--examples is for records, curate, migrate. hanoi does not take it"),
        (["run", "hanoi", "--retry-temperature", "hot"], "--retry-temperature must be one temperature"),
        (["resume", "r", "--k", "3"], "A run keeps what --k said when it began: leave it out, or start a new run"),
        (["resume", "r", "--ks", "3"], "No such option"),
        (["run", "hanoi", "--disks", "1100"], "steps is too large to be planned for"),
        (["run", "hanoi", "--k", "200"], "max_samples"),
        (["run", "hanoi", "--model", "sim:perfect,max_tokens=-5"], "at least 1"),
        (["run", "tests.graph.test_maker:Countdown"], "rehearsal"),
        (["run", "hanoi", "--k", "0"], "at least 1"),
        (["run", "hanoi", "--k", "many"], "auto"),
        (["run", "hanoi", "--model", "sim:llama-3.2-3b"], "no k reaches"),
        (["run", "hanoi", "--temperature", "hot"], "--temperature"),
        (["run", "hanoi", "--price", "cheap"], "input,output"),
        (["run", "hanoi", *SIM, "--max-cost", "1"], "--price"),
        (["run", "hanoi", "--max-samples", "0"], "max-samples"),
        (["run", "hanoi", "--run", "a b"], "not a name for a run"),
        (["run", "hanoi", "--disks", "2", "--record", "nowhere/x"], "cannot be written"),
        (["run", "records"], "--input"),
        (["run", "records", "--input", "none.csv", "--out", "o.csv"], "cannot be read"),
        (["run", "records", "--input", str(ROWS), "--out", "nowhere/o.csv"], "no folder"),
        (["run", "hanoi", "--out", "o.csv"], "no results"),
        (["resume", "nothing"], "not a run"),
        (["status", "."], "not a run"),
        (["verify", "nothing"], "not a run"),
        (["simulate", "--profile", "gpt-9"], "gpt-oss-20b"),
        (["simulate", "--host", "127.0.0.1", "--port", "1x"], "port"),
    ],
)
def test_wrong_usage_gives_one_clear_sentence_and_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, args, env={"COLUMNS": "200"})
    assert done.exit_code == 2, done.stderr
    assert isinstance(done.exception, SystemExit)
    assert words in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


@pytest.mark.parametrize(
    ("option", "value", "plain"),
    [
        ("--disks", "two", "'--disks': it must be a whole number"),
        ("--max-cost", "much", "'--max-cost': it must be a number"),
        ("--max-cost", "-1", "'--max-cost': it must be at least 0"),
        ("--fsync", "never", "'--fsync': 'never' is not one of"),
    ],
)
def test_a_value_that_is_none_is_told_in_plain_words(option: str, value: str, plain: str) -> None:
    assert plain in " ".join(CliRunner().invoke(app, ["run", "hanoi", option, value]).stderr.split())


def test_a_name_of_no_run_is_told_with_the_runs_that_there_are(cli: Cli, tmp_path: Path) -> None:
    for name in ("demo", *"abcdef"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "settings.json").touch()
    assert "Did you mean demo? The runs in runs are a, b, c, d, demo and others." in cli("status", "demo2").stderr
    assert "it has no settings.json. The runs in runs are a, b, c, d, demo and others." in cli("status", "./runs").stderr


def test_help_has_examples() -> None:
    for command in ("run", "resume", "verify", "status", "simulate"):
        text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "120"}).stdout
        assert re.search(r"Example", text)
        assert f"maker-graph {command}" in text


def test_help_breaks_paragraphs_where_the_terminal_ends() -> None:
    text = CliRunner().invoke(app, ["verify", "--help"], env={"COLUMNS": "200"}).stdout
    assert "or a verifier proves every answer. Right: every answer is the one that the task knows to be right." in text


def test_version_is_that_of_the_package() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"{version('maker-graph')}\n")
