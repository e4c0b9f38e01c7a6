"""`maker-graph label` and `audit`: labels for random steps, and what they say about a run."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maker_graph.cli.app import Ending, app
from maker_graph.cli.asking import question_lines, read_anything, typed_line
from maker_graph.cli.options import (
    AsJson,
    Check,
    Disks,
    InJournal,
    OwnTask,
    RunName,
    Sets,
    Source,
    Trust,
    opened_run,
    task_named,
    unescaped,
)
from maker_graph.cli.output import say, tell
from maker_graph.cli.task_command import TaskCommand
from maker_graph.core.characters import visible
from maker_graph.errors import UsageError
from maker_graph.statistics.audit import CONFIDENCE

if TYPE_CHECKING:
    from maker_graph.run.labelling import Labelled, Labelling, Question
    from maker_graph.runs import Run

LISTED = 5
"""The most groups of nearly equal steps that are listed."""

Random = Annotated[
    int, typer.Option("--random", metavar="N", help="How many random steps to label, including those of earlier calls.", min=0)
]

LabelsFile = Annotated[
    Path | None,
    typer.Option("--labels", metavar="FILE", help="The file of labels. An earlier one is continued."),
]

Truth = Annotated[bool, typer.Option("--truth", help="Take the right answers that the task knows, and ask nobody.")]

Who = Annotated[str | None, typer.Option("--who", metavar="NAME", help="Who answers. Default: the name of the user.")]

Seed = Annotated[
    int | None, typer.Option("--seed", help="The seed of the draw. Default: a random one, which the file keeps.", min=0)
]

Again = Annotated[
    list[int] | None, typer.Option("--again", metavar="STEP", help="Ask this step again. Its newest label counts.")
]


@app.command(
    "label",
    cls=TaskCommand,
    epilog="Examples:\n\n  maker-graph label --task records --input rows.csv --random 300 --labels rows.jsonl\n\n"
    "  maker-graph label records-20260101-120000-000000 --random 300\n\n"
    "  maker-graph label --task hanoi --disks 8 --truth --use choose",
)
def label_command(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]", help="The run: its name under runs/ or in --journal, or its directory. Or give --task instead."
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="TASK",
            help="Without a run: a task that ships, or your own as package.module:name. With a run: its task, if it "
            "is your own.",
        ),
    ] = None,
    disks: Disks = None,
    source: Source = None,
    sets: Sets = None,
    random: Random = 300,
    use: Annotated[
        str,
        typer.Option(
            metavar="certify|choose|example",
            help="The purpose of the labels: to certify or audit a run; to choose a rule or a model; to be examples for a "
            "model. Each label serves one purpose only.",
        ),
    ] = "certify",
    labels: LabelsFile = None,
    who: Who = None,
    seed: Seed = None,
    again: Again = None,
    truth: Truth = False,
    check: Check = True,
    journal: InJournal = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> Ending:
    """Label random steps with the right answer, without seeing what a model answered.

    Type the answer as a model would reply, or as JSON. Type ? if you cannot say, and nothing or q to stop. Your answers
    are kept, and the same command goes on.
    """
    from maker_graph.run.label_lines import USES
    from maker_graph.run.labelling import label

    if use not in USES:
        raise UsageError(f"--use is {', '.join(USES[:-1])} or {USES[-1]}, not {use!r}.")
    how = _how(random, labels, seed, again, who, truth=truth)
    if run is None:
        if journal is not None:
            raise UsageError("--journal needs the name of a run in it.")
        if task is None:
            raise UsageError("Name a run, or a task with --task.")
        found = label(task_named(task, disks, source, sets), how, use, check=check)
        return _labelled(found, as_json=as_json)
    if disks is not None or source is not None or sets:
        raise UsageError("A run has its options already: leave out --disks, --input and --set, or name only a --task.")
    with opened_run(run, journal, task=task, trust=trust or "mine") as opened:
        _tell_long(opened)
        return _labelled(opened.label(how, use), as_json=as_json)


@app.command(
    "audit",
    epilog="Examples:\n\n  maker-graph audit records-20260101-120000-000000 --random 300\n\n"
    "  maker-graph audit hanoi-20260101-120000-000000 --truth --json",
)
def audit_command(
    run: RunName,
    random: Random = 300,
    labels: LabelsFile = None,
    truth: Truth = False,
    confidence: Annotated[float, typer.Option(help="The chance that the bound holds.")] = CONFIDENCE,
    who: Who = None,
    seed: Seed = None,
    again: Again = None,
    journal: InJournal = None,
    task: OwnTask = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> Ending:
    """Give an upper bound for how many decided steps of a run are wrong, from labels for random steps.

    Each step is asked as in maker-graph label. You may look at the bound after each label. It assumes nothing about the model.
    """
    how = _how(random, labels, seed, again, who, truth=truth)
    with opened_run(run, journal, task=task, trust=trust or "mine") as opened:
        _tell_long(opened)
        found = opened.audit(confidence=confidence, **how._asdict())
    if not as_json:
        say(str(found))
        for step in found.wrong_steps[:LISTED]:
            tell(f"Step {step:,} differs from its label.")
    if found.waiting:
        not_yet = "1 label does" if found.waiting == 1 else f"{found.waiting:,} labels do"
        tell(f"{not_yet} not count yet, because a step that was drawn earlier has no label. The same command asks for it.")
    if found.drawn < min(random, found.population):
        tell(f"{found.drawn:,} of {min(random, found.population):,} count so far. The same command goes on: {found.file}")
    plain = {**asdict(found), "file": str(found.file), "share": found.most / found.population, "said": str(found)}
    return Ending(result={"run": opened.home.name, **plain})


def _tell_long(run: "Run") -> None:
    """Say that reading takes a while, if the run is long."""
    from maker_graph.run.directory import LONG

    if run.step >= LONG:
        tell(f"Reading {run.step:,} steps.")


def _how(
    random: int, labels: Path | None, seed: int | None, again: list[int] | None, who: str | None, *, truth: bool
) -> "Labelling":
    from maker_graph.run.labelling import Labelling

    ask = None if truth else _asker()
    return Labelling(random, labels, seed, truth, ask, tuple(again or ()), visible(_user() if who is None else who)[:200], tell)


def _asker() -> "Callable[[Question], str | None]":
    """Return the function that asks at the terminal."""
    said: list[str] = []

    def ask(question: "Question") -> str | None:
        if not said:
            read_anything()
            said.append(
                "Type the right answer, as a model would reply or as JSON. Type ? if you cannot say, nothing or q to stop."
            )
            tell(said[0])
        if question.refused:
            tell(f"This was not taken: {question.refused}.")
        else:
            tell("\n".join([f"[{question.place} of {question.of}] Step {question.step:,}", *question_lines(question.question)]))
        typed = typed_line()
        return None if typed in {None, "", "q"} else unescaped(str(typed))

    return ask


def _user() -> str:
    from getpass import getuser

    try:
        return getuser()
    except (KeyError, OSError):
        return "unknown"


def _labelled(found: "Labelled", *, as_json: bool) -> Ending:
    """Return how many steps are labelled, and tell it."""
    if not as_json:
        unsure = f" ({found.unsure:,} unsure)" if found.unsure else ""
        say(f"{found.file}: {found.labelled:,} of {found.asked:,} steps are labelled{unsure}, drawn from {found.population:,}.")
    if found.labelled < found.asked:
        tell("The same command goes on.")
    if found.alike:
        groups = "; ".join(", ".join(f"{step:,}" for step in group[:LISTED]) for group in found.alike[:LISTED])
        tell(
            f"{sum(map(len, found.alike)):,} of the labelled steps differ from another one only in case, digits or "
            f"spaces. They say less than different steps would: {groups}."
        )
    plain: dict[str, Any] = {**asdict(found), "file": str(found.file)}
    return Ending(result=plain)
