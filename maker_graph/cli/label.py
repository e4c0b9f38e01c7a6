"""`maker-graph label` and `audit`: label steps that are drawn at random, and bound from that how much of a run is wrong."""

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
    tell_if_long,
    unescaped,
)
from maker_graph.cli.output import say, tell
from maker_graph.cli.task_command import TaskCommand
from maker_graph.core.characters import visible
from maker_graph.errors import UsageError
from maker_graph.statistics.audit import CONFIDENCE

if TYPE_CHECKING:
    from maker_graph.run.labelling import Labelled, Labelling, Question

LISTED = 5
"""At most this many groups, steps of a group, and wrong steps are told."""

Random = Annotated[
    int, typer.Option("--random", metavar="N", help="How many steps to label, including those of earlier calls.", min=0)
]

LabelsFile = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="FILE",
        help="The file of the labels: a new one, or an earlier one to go on with. Default: a file in the directory of the "
        "run, or labels-TASK.jsonl here.",
    ),
]

Truth = Annotated[
    bool, typer.Option("--truth", help="Take the answers that the task itself knows to be right, and ask nobody.")
]

Who = Annotated[
    str | None, typer.Option("--who", metavar="NAME", help="The name of the person who answers. Default: your user name.")
]

Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        help="A number that decides which steps are drawn. Default: a random one, which is kept in the file.",
        min=0,
    ),
]

Again = Annotated[
    list[int] | None,
    typer.Option("--again", metavar="STEP", help="Ask this step once more. The newest label counts. Repeat for several."),
]


@app.command(
    "label",
    cls=TaskCommand,
    epilog="Examples:\n\n  maker-graph label --task records --input rows.csv --random 300 --labels labels.jsonl\n\n"
    "  maker-graph label first --random 20   # the steps of a run\n\n"
    "  maker-graph label --task hanoi --disks 8 --truth --use choose",
)
def label_command(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN", help="The run: its name under runs/ or in --journal, or its directory. Without a run, give --task."
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="TASK",
            help="Without a run: the task whose steps are labelled, such as records, or your own as package.module:Name. "
            "With a run: its task, if that is code of your own.",
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
            help="What the labels are for. certify: to show how good a model, a plan or a run is. choose: to choose a rule "
            "or a model. example: to be shown to a model. Labels for another use cannot certify or audit.",
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
    """Say what is right at steps that are drawn at random, without seeing what a model answered.

    maker-graph calibrate --labelled measures a model by these labels. For an upper bound on how many steps of a run are wrong,
    use maker-graph audit.

    Type the answer as a model would reply, or as JSON. Type ? if you cannot say, and nothing or q to stop. All answers are
    kept. Give the same command again to go on.
    """
    from maker_graph.run.label_lines import USES
    from maker_graph.run.labelling import label

    if use not in USES:
        raise UsageError(f"--use must be {', '.join(USES[:-1])} or {USES[-1]}, not {use!r}.")
    how = _how(random, labels, seed, again, who, truth=truth)
    if run is None:
        if journal is not None:
            raise UsageError("--journal says where a run is: name the run, or leave it out.")
        if task is None:
            raise UsageError("Name a run, or a task with --task.")
        found = label(task_named(task, disks, source, sets), how, use, check=check)
        return _labelled(found, as_json=as_json)
    if disks is not None or source is not None or sets:
        raise UsageError("A run has its options already: leave out --disks, --input and --set, or name a --task and no run.")
    with opened_run(run, journal, task=task, trust=trust or "mine") as opened:
        tell_if_long(opened)
        return _labelled(opened.label(how, use), as_json=as_json)


@app.command(
    "audit",
    epilog="Examples:\n\n  maker-graph audit first --truth   # hanoi knows the right answers\n\n"
    "  maker-graph audit rows --random 300",
)
def audit_command(
    run: RunName,
    random: Random = 300,
    labels: LabelsFile = None,
    truth: Truth = False,
    confidence: Annotated[float, typer.Option(help="The chance that the bound holds, between 0 and 1.")] = CONFIDENCE,
    who: Who = None,
    seed: Seed = None,
    again: Again = None,
    journal: InJournal = None,
    task: OwnTask = None,
    trust: Trust = False,
    as_json: AsJson = False,
) -> Ending:
    """Give an upper bound for how many decided steps of a run are wrong, from labels of steps that are drawn at random.

    You are asked what is right at each drawn step, as in maker-graph label. Only steps that models decided are drawn. You may
    look at the bound whenever you like. It assumes nothing about the model.
    """
    how = _how(random, labels, seed, again, who, truth=truth)
    with opened_run(run, journal, task=task, trust=trust or "mine") as opened:
        tell_if_long(opened)
        found = opened.audit(confidence=confidence, **how._asdict())
    if not as_json:
        say(str(found))
        for step in found.wrong_steps[:LISTED]:
            tell(f"Step {step:,} is not as its label says.")
    if found.waiting:
        not_yet = "1 label does" if found.waiting == 1 else f"{found.waiting:,} labels do"
        tell(f"{not_yet} not count yet, because a step that was drawn earlier has no label. The same command asks for it.")
    if found.drawn < min(random, found.population):
        tell(
            f"{found.drawn:,} of {min(random, found.population):,} labels count so far. They are in {found.file}. Give the "
            "same command again to go on."
        )
    plain = {**asdict(found), "file": str(found.file), "share": found.most / found.population, "said": str(found)}
    return Ending(result={"run": opened.home.name, **plain})


def _how(
    random: int, labels: Path | None, seed: int | None, again: list[int] | None, who: str | None, *, truth: bool
) -> "Labelling":
    from maker_graph.run.labelling import Labelling

    ask = None if truth else _asker()
    return Labelling(random, labels, seed, truth, ask, tuple(again or ()), visible(_user() if who is None else who)[:200], tell)


def _asker() -> "Callable[[Question], str | None]":
    """Return the function that asks a question at the terminal; it returns None when the person stops."""
    said: list[str] = []

    def ask(question: "Question") -> str | None:
        if not said:
            read_anything()
            said.append(
                "Type what is right, as a model would reply or as JSON. ? means that you cannot say; nothing or q stops."
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
    """Tell how far the labelling has come, and return the ending of the command."""
    if not as_json:
        unsure = f" ({found.unsure:,} unsure)" if found.unsure else ""
        say(f"{found.file}: {found.labelled:,} of {found.asked:,} steps are labelled{unsure}, drawn from {found.population:,}.")
    if found.labelled < found.asked:
        tell("Give the same command again to go on.")
    if found.alike:
        groups = "; ".join(", ".join(f"{step:,}" for step in group[:LISTED]) for group in found.alike[:LISTED])
        tell(
            f"{sum(map(len, found.alike)):,} of the labelled steps ask the same as another one, except for case, digits and "
            f"spaces. They say less than as many different ones: {groups}."
        )
    plain: dict[str, Any] = {**asdict(found), "file": str(found.file)}
    return Ending(result=plain)
