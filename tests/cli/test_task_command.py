"""The options of a task as options of the commands about it."""

import json
from pathlib import Path

import pytest

from tests.conftest import Cli

COUNTING = '''
from pathlib import Path
from maker_graph.simulation import Replies
class Counting:
    def __init__(self, upper_end: int, words: Path | None = None, aloud: bool = False, seed: int = 0):
        """Count.

        Args:
            words: a file with a word for each number,
                such as [a]one[/a].
        """
        self.end, self.aloud = upper_end, aloud
    def start(self): return {"n": 0}
    def total(self): return self.end
    def done(self, state): return state["n"] == self.end
    def prompt(self, state): return f"count {state['n']}"
    def parse(self, text): return int(text)
    def truth(self, state): return state["n"]
    def apply(self, state, answer): return {"n": answer + 1}
    def rehearse(self, state): return Replies(str(state["n"]), ["9"])
'''
TASK = "counting:Counting"


@pytest.fixture
def counting(tmp_path: Path) -> Path:
    (tmp_path / "counting.py").write_text(COUNTING)
    return tmp_path


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize(
    "given", [("--upper-end", "3"), ("--upper-end=3",), ("--set", "upper_end=3"), ("--steps", "9", "--upper-end", "3")]
)
def test_an_option_of_the_task_is_one_of_the_command(cli: Cli, given: tuple[str, ...]) -> None:
    done = cli("check-task", TASK, *given, "--json")
    assert json.loads(done.stdout)["steps"] == 3, done.stderr


@pytest.mark.parametrize(("given", "kept"), [("--aloud", True), ("--no-aloud", False), ("--aloud=yes", True)])
def test_a_switch_of_the_task_takes_no_value(cli: Cli, counting: Path, given: str, kept: object) -> None:
    cli("run", TASK, given, "--upper-end", "1", "--words", "w.txt", "--model", "sim:perfect", "--run", "r")
    options = json.loads((counting / "runs/r/settings.json").read_text())["options"]
    assert options == {"aloud": kept, "upper_end": 1, "words": str(counting / "w.txt")}


def test_an_option_of_the_command_wins_over_one_of_the_task(cli: Cli, counting: Path) -> None:
    cli("run", TASK, "--seed", "5", "--upper-end", "1", "--model", "sim:perfect", "--run", "r")
    assert json.loads((counting / "runs/r/settings.json").read_text())["options"] == {"upper_end": 1}


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((TASK, "--uper-end", "3"), "There is no option --uper-end. Did you mean --upper-end?"),
        ((TASK, "--upper-end"), "--upper-end needs a value."),
        ((TASK, "--upper-end", "--json"), "--upper-end needs a value."),
        ((TASK, "--upper-end", "three"), "upper_end=three does not fit int"),
        ((TASK, "--upper-end", "3", "--set", "upper_end=4"), "upper_end is given twice"),
        ((TASK, "--upper-end", "3", "--max-costs", "3"), "No such option: --max-costs"),
        (("--upper-end", "3", TASK), "No such option: --upper-end"),
        (("nowhere:Task", "--upper-end", "3"), "There is no module nowhere for the task 'nowhere:Task'"),
        (("hanoi", "--disk", "3"), "--disks"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(cli: Cli, given: tuple[str, ...], said: str) -> None:
    done = cli("check-task", *given)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("counting")
def test_the_help_says_what_the_named_task_takes(cli: Cli) -> None:
    shown = " ".join(cli("run", TASK, "--help").stdout.split())
    assert "--upper-end: int, required" in shown
    assert "--aloud: bool, False if left out" in shown
    assert "--words: a file with a word for each number, such as [a]one[/a] (Path | None, None if left out)" in shown
    assert "--upper-end" not in cli("run", "--help").stdout
    assert "maker-graph run hanoi" in cli("run", "nowhere:Task", "--help").stdout


@pytest.mark.usefixtures("counting")
def test_where_the_task_is_named_by_an_option_it_has_its_options_too(cli: Cli) -> None:
    done = cli(
        "label", "--task", TASK, "--upper-end", "3", "--truth", "--random", "2", "--use", "choose", "--labels", "l.jsonl"
    )
    assert done.returncode == 0, done.stderr
    assert "2" in done.stdout
