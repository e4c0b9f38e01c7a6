"""The task: it is read strictly, voted on by its values, and a wrong value spoils its own problem only."""

import json
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Run, Undecided
from maker_graph.errors import UsageError
from maker_graph.run.checking import check_task
from maker_graph.tasks import WordProblems
from maker_graph.tasks.loading import described, load_task
from tests.cli.commands import result
from tests.conftest import Cli

TASK = WordProblems(problems=4)


def test_states_made_from_the_step_number_are_those_of_the_walk() -> None:
    state = TASK.start()
    for step in range(TASK.total()):
        assert TASK.state_at(step) == state
        assert not TASK.done(state)
        state = TASK.apply(state, TASK.truth(state))
    assert TASK.done(state)
    assert TASK.state_at(TASK.total()) == state
    with pytest.raises(UsageError, match="no state after 13"):
        TASK.state_at(13)


@pytest.mark.parametrize(
    ("text", "equation", "value"),
    [
        (" 4 * 12 = 48", "4 * 12 = 48", "48"),
        ("Ann buys 4 boxes.\nEquation: 4 * 12 = 48.", "4 * 12 = 48", "48"),
        (r"$4 \times 12 = 48$", r"$4 \times 12 = 48$", "48"),
        ("4 * 12 = 40 + 8 = 48", "4 * 12 = 40 + 8 = 48", "48"),
        ("pens = 4 * 12 = 48\n", "4 * 12 = 48", "48"),
        ("x = 5", "x = 5", "5"),
        ("10 / 4 = 5/2", "10 / 4 = 5/2", "2.5"),
        ("3 - 5 = -2", "3 - 5 = -2", "-2"),
        ("4 boxes of 12 = 48", "4 boxes of 12 = 48", "48"),
        ("1000 + 234 = 1,234", "1000 + 234 = 1,234", "1234"),
    ],
)
def test_the_last_line_is_the_equation_and_what_stands_behind_its_last_sign_the_value(
    text: str, equation: str, value: str
) -> None:
    answer: Any = TASK.parse(text)
    assert answer["value"] == value
    assert answer["equation"] == equation
    assert TASK.key(answer) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "48",
        "= 48",
        "4 * 12 <= 50",
        "4 pens <= 50",
        "50 != 48",
        "1 = 1/0",
        "4 * 12 = ",
        "4 * 12 = 48 pens",
        "a = b",
        "4 * 12 = 4 * 12",
        "1 = " + "1" * 400,
    ],
)
def test_what_is_no_equation_with_a_number_behind_it_is_malformed(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        TASK.parse(text)


def test_a_prompt_shows_its_own_problem_what_is_known_and_the_question_and_nothing_else() -> None:
    state = TASK.state_at(4)
    prompt = str(TASK.prompt(state))
    _, own = prompt.rsplit("\n\n", 1)
    assert own.startswith(f"Problem: {TASK.problem(1).told(2)}\nSo far: ")
    assert TASK.problem(0).text not in prompt
    assert own.endswith(f"Question: {TASK.problem(1).steps[1].question}\nEquation:")
    assert "So far" not in str(TASK.prompt(TASK.state_at(3))).rsplit("\n\n", 1)[1]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"problems": 0}, "problems"),
        ({"steps": 0}, "steps"),
        ({"numbers": 2}, "numbers"),
        ({"numbers": 10**9}, "numbers must be at most 1,000,000"),
        ({"kinds": "sum,square"}, "kinds must be all, or some of sum"),
        ({"kinds": ""}, "kinds"),
        ({"unison": 1.5}, "unison must be a share"),
        ({"arithmetic": True}, "arithmetic must be a share"),
        ({"verify": 1}, "verify"),
        ({"kinds": "share", "steps": 30, "numbers": 3}, "name more kinds"),
    ],
)
def test_options_out_of_range_are_told(options: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        WordProblems(**options)


def test_a_problem_that_a_run_comes_to_late_can_be_made_too() -> None:
    task = WordProblems(21, kinds="equation", numbers=8)
    assert len(task.problem(20).steps) == 3


def test_without_verify_there_is_no_verifier() -> None:
    assert hasattr(TASK, "verify")
    assert not hasattr(WordProblems(verify=False), "verify")


def test_the_task_keeps_the_contract() -> None:
    trial = check_task(load_task("word-problems", {"problems": 5}))
    assert (trial.problems, trial.stopped, trial.answers) == ([], "end", "rehearsal")


def test_a_task_is_made_again_of_its_options() -> None:
    task = WordProblems(3, steps=2, kinds="sum, rate", verify=False)
    again = described(task)
    assert again.name == "word-problems"
    made: Any = load_task(again.name, again.options).task
    assert made.problem(2) == task.problem(2)
    assert made.options == task.options


def solved(folder: Path, model: str, **options: Any) -> dict[str, Any]:
    """Return what a run comes to."""
    with Run.create(folder, WordProblems(**options), model=model, k=3, seed=1) as run:
        return dict(run.solve())


def test_what_a_program_can_decide_is_proved_by_one_sample_and_only_the_rest_is_voted_on(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", WordProblems(problems=10), model="sim:perfect", k=3) as run:
        run.solve()
        for number, step in enumerate(run.steps()):
            state = run.task.state_at(number)  # type: ignore[union-attr]  # it has it
            kind = run.task.problem(state["problem"]).steps[len(state["values"])].kind  # type: ignore[union-attr]
            assert ("proved" in step.decision) == (kind == "equation")
            assert step.decision["samples"] == (1 if kind == "equation" else 3)


def test_errors_in_unison_that_win_every_vote_are_discarded_by_the_verifier(tmp_path: Path) -> None:
    options: dict[str, Any] = {"problems": 4, "arithmetic": 1.0, "unison": 0.15}
    model = "sim:perfect,error=0.000001"
    voted = solved(tmp_path / "voted", model, **options, verify=False)
    assert voted["wrong"] > 0, "the premise: all samples of a step agree on what is wrong"
    with pytest.raises(Undecided, match="invalid"):
        solved(tmp_path / "verified", model, **options)


def test_a_wrong_value_spoils_its_own_problem_only(tmp_path: Path) -> None:
    options: dict[str, Any] = {"problems": 12, "arithmetic": 1.0, "unison": 0.2, "verify": False}
    found = solved(tmp_path / "run", "sim:perfect,error=0.000001", **options)
    assert found["steps"] == 36
    assert 1 < found["wrong"] <= 12


def test_it_runs_from_the_command_line_and_its_sizes_are_options(cli: Cli) -> None:
    done = cli(
        "run",
        "word-problems",
        "--problems",
        "3",
        "--steps",
        "2",
        "--kinds",
        "sum,equation",
        "--numbers",
        "9",
        "--model",
        "sim:perfect",
        "--json",
        "-q",
    )
    assert result(done)["steps"] == 6
    assert cli("run", "word-problems", "--problems", "2", "--no-verify", "--model", "sim:perfect", "-q").returncode == 0


def test_it_can_be_calibrated(cli: Cli) -> None:
    done = cli("calibrate", "word-problems", "--model", "sim:perfect,error=0.1,rho=0.2", "--steps", "20", "--out", "c.jsonl")
    assert done.returncode == 0, done.stderr


ROOT = Path(__file__).parents[3]


def table(first: str) -> dict[str, list[str]]:
    """Return the cells of a table of the page, by the first of each row."""
    page = (ROOT / "docs" / "verifying.md").read_text(encoding="utf-8")
    rows = page.partition(first)[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {name: rest for name, *rest in cells}


def measured(name: str) -> dict[str, Any]:
    """Return the figures in a file."""
    found: dict[str, Any] = json.loads((ROOT / "tests" / "benchmarks" / "results" / name).read_text(encoding="utf-8"))
    return found


def test_the_figures_of_the_page_are_those_that_were_measured() -> None:
    simulated = [each["ways"] for each in measured("word_problems.json").values() if isinstance(each, dict)]
    rows = table("| | arithmetic")
    assert len(rows) == 8
    for way, cells in rows.items():
        assert cells == [
            f"{100 * of[way]['wrong_share']:.1f} / {100 * of[way]['passed_problems'] / of[way]['problems']:.1f} / "
            f"{of[way]['samples_a_step']:.1f}"
            for of in simulated
        ]
    real = measured("word_problems_real.json")["each step by itself"]
    rows = table("| | wrong | passed")
    assert len(rows) == 8
    for way, cells in rows.items():
        of = real[way]
        assert cells == [str(of["wrong"]), str(of["passed"]), str(of["right"]), f"{of['samples_a_step']:.1f}"]
