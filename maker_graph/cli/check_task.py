"""`maker-graph check-task`: try a task before money is spent."""

from typing import Annotated, Any

import typer

from maker_graph.cli.app import EXIT_CODES, Ending, app
from maker_graph.cli.options import AsJson, Disks, Sets, Source, TaskName, task_named
from maker_graph.cli.output import counted, say
from maker_graph.cli.task_command import TaskCommand
from maker_graph.core.verifying import STANDINGS
from maker_graph.errors import UsageError
from maker_graph.tasks.trial import CHECKS, Trial


@app.command(
    "check-task",
    cls=TaskCommand,
    epilog="Examples:\n\n  maker-graph check-task mypackage.tasks:Sorting --set words=words.txt\n\n"
    "  maker-graph check-task records --input rows.csv --steps 200 --json",
)
def check_task_command(
    task: TaskName,
    disks: Disks = None,
    source: Source = None,
    sets: Sets = None,
    steps: Annotated[int, typer.Option(help="The most steps that are tried, each with the right answer.", min=1)] = 1000,
    as_json: AsJson = False,
) -> Ending:
    """Try a task without a model: does it return the same each time, is its data plain JSON, does it end, can it read replies?

    Do this with a task of your own before money is spent on it. Each check is told with what it found.
    """
    from maker_graph.run.checking import check_task

    trial = check_task(task_named(task, disks, source, sets), steps=steps)
    if not as_json:
        say("\n".join(_lines(task, trial)))
    if not trial.problems:
        return Ending(0, None, _as_json(task, trial))
    found = counted(len(trial.problems), "problem")
    return Ending(EXIT_CODES[UsageError], f"Found: {found}.", _as_json(task, trial))


def _as_json(task: str, trial: Trial) -> dict[str, Any]:
    return {
        "task": task,
        "ok": not trial.problems,
        "steps": trial.steps,
        "stopped": trial.stopped,
        "answers": trial.answers,
        "not_performed": trial.not_performed,
        "left_open": trial.left_open,
        "standings": dict(trial.standings),
        "tried": [check for check in CHECKS if check in trial.tried],
        "problems": [{"check": each.check, "step": each.step, "problem": each.text} for each in trial.problems],
    }


def _lines(task: str, trial: Trial) -> list[str]:
    """Return what a person reads: how far the task was tried, then each check with the problems that it found."""
    end = {
        "end": "to the end",
        "limit": "as many as --steps allows",
        "failed": "then it could not go on",
        "world": "and the next one depends on a part that acts on the world, which is not done here: to try more, give "
        "rehearse(state) to that part and to those that look at what it did",
        "unknown": "and nobody knows the answer of the next one: to try more, give the task truth(state) or rehearse(state)",
    }[trial.stopped]
    left = f", {trial.left_open} of them left open" if trial.left_open else ""
    tried = "1 step was tried" if trial.steps == 1 else f"{trial.steps:,} steps were tried"
    lines = [f"{task}: {tried}{left}, {end}."]
    if trial.not_performed:
        lines.append(f"  Not performed, but rehearsed: {counted(trial.not_performed, 'action')} on the world.")
    if trial.standings:
        kinds = ", ".join(f"{trial.standings[name]:,} {name}" for name in STANDINGS)
        lines.append(f"  The verifier says of the right answers: {kinds}.")
    for check, meaning in CHECKS.items():
        found = [problem for problem in trial.problems if problem.check == check]
        verdict = "FAILED" if found else "ok" if check in trial.tried else "-"
        lines.append(f"  {verdict:8}{check}: {meaning}{'' if verdict != '-' else ' (not tried)'}")
        for problem in found:
            where = "" if problem.step is None else f"step {problem.step}: "
            lines.append(f"          - {where}{problem.text}")
    return lines
