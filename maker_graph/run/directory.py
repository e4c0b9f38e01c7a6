"""A run: a directory with settings, checkpoints and journal, and what can be said of it without a model.

settings.json    what was asked for; it is part of the journal's first hash
checkpoints.db   LangGraph's snapshots, one per segment
journal.db       every decided step: the truth
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from maker_graph.core.checks import broken_rule
from maker_graph.core.decision import Usage
from maker_graph.core.guarding import guarded
from maker_graph.core.machine import Machine
from maker_graph.core.task import Checks, Task, total_of
from maker_graph.errors import DamagedRun, LimitReached, UnusableRun
from maker_graph.files import write_whole
from maker_graph.run.journal import Fsync, Journal
from maker_graph.run.settings import Settings, read_settings
from maker_graph.tasks.loading import load_task

LONG = 20_000
"""Steps whose replay takes seconds, which is worth a word."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Drafts(TypedDict):
    """The drafts of a run with lookahead: calls, their tokens, and their part of the cost."""

    calls: int
    tokens: Usage
    cost_usd: float


class Summary(TypedDict):
    """A run in figures: what `--json` prints, the same for run, resume, status and verify.

    `first_sample_wrong_at` is the first step whose first sample alone does not give the decided answer; `cost_usd` is what was
    spent, not what a simulated model would have cost; `seconds` is the time that the run was at work. `samples`, `tokens` and
    `cost_usd` count everything that was drawn, also for steps that were not decided; votes and flags are of committed steps.
    `dropped` samples are no part of a committed step: votes on a state that was drafted wrong, or cut short by the end of a
    session. `lost` replies never came, for a reason that may depend on what they said. `sessions` counts how often
    somebody went on with the run, the first time included.
    """

    run: str
    task: str
    model: str
    simulated: bool
    steps: int
    total: int | None
    done: bool
    verified: bool
    k: int
    samples: int
    votes: int
    outvoted: int
    first_sample_wrong_at: int | None
    rounds: int
    flags: dict[str, int]
    tokens: Usage
    cost_usd: float
    seconds: float
    digest: str
    drafts: Drafts
    dropped: int
    lost: int
    sessions: int


@dataclass(frozen=True, slots=True)
class Run:
    """An opened run."""

    directory: Path
    settings: Settings
    task: Task
    machine: Machine
    journal: Journal


@contextmanager
def created(directory: Path, settings: Settings, task: Task, *, fsync: Fsync = "full") -> Iterator[Run]:
    """Make the directory of a new run of `task` and open it.

    Raises:
        UnusableRun: the directory exists, cannot be made, or has a name that is none.
    """
    if not _NAME.fullmatch(directory.name):
        raise UnusableRun(
            f"{directory.name!r} is no name for a run: letters, digits, dots, dashes and underscores, at most 64."
        )
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
    except FileExistsError:
        known = (directory / "settings.json").exists()
        todo = f"resume it (maker-graph resume {directory}), or give another --run" if known else "give another --run"
        raise UnusableRun(f"{directory} exists{'' if known else ' and is no run'}: {todo}.") from None
    except OSError as error:
        raise UnusableRun(f"{directory} cannot be made: {error.strerror}.") from None
    try:
        Journal(directory / "journal.db", settings.origin(), create=True).close()
        write_whole(directory / "settings.json", settings.text(), private=True)  # last: a directory with settings is a run
    except OSError as error:
        raise LimitReached(f"{directory} cannot be written ({error.strerror}): make room and start again.") from None
    with opened(directory, task, fsync=fsync) as run:
        yield run


@contextmanager
def opened(directory: Path, task: Task | None = None, *, fsync: Fsync = "full") -> Iterator[Run]:
    """Open the run in `directory`; `task` is its task, which is made by the name in its settings if None.

    Raises:
        UnusableRun: there is no run, or another process holds it.
        DamagedRun: its settings or its journal cannot be read, or do not belong together.
    """
    settings = settings_of(directory)
    journal = Journal(directory / "journal.db", settings.origin(), fsync=fsync)
    try:
        task = task or load_task(settings.task, settings.options).task  # after the journal has said that these are the settings
        yield Run(directory, settings, task, Machine(task), journal)
    finally:
        journal.close()


def settings_of(directory: Path) -> Settings:
    """Return what the run in `directory` was asked for, as far as its settings.json tells.

    Raises:
        UnusableRun: there is no run, or a newer maker_graph made it.
        DamagedRun: its settings cannot be read.
    """
    path = directory / "settings.json"
    try:
        return read_settings(path.read_text(encoding="utf-8"), str(path))
    except OSError:
        raise UnusableRun(f"{directory} is no run: it has no settings.json.") from None
    except UnicodeDecodeError as error:
        raise DamagedRun(f"{path} is damaged: {error}.") from None


def summary(run: Run, progress: Callable[[int], None] = lambda _: None) -> Summary:
    """Return the run in figures, and whether it is verified: replayed from its journal by the task's rules, without a model.

    Verified means: every step decided by an answer that keeps the rules of the task, the task done, in exactly `total` steps
    if the task knows its total. A million steps take a minute or two; `progress` is told the step every thousand.

    Raises:
        DamagedRun: the journal is not what was written.
    """
    at = run.machine.begin()
    task = guarded(run.task)
    rules_kept, check = True, task.check if isinstance(task, Checks) else None
    for decision, before, after in run.journal.replay(run.machine):
        at = after
        decided = decision["status"] == "decided"
        if decided and check is not None and rules_kept:
            rules_kept = broken_rule(check, before["state"], decision["answer"]) is None
        rules_kept = rules_kept and decided
        if at["step"] % 1000 == 0:
            progress(at["step"])
    total = total_of(run.task)
    totals, settings, spent = at["totals"], run.settings, run.journal.account().spent
    return Summary(
        run=run.directory.name,
        task=settings.task,
        model=settings.model,
        simulated=settings.simulated,
        steps=at["step"],
        total=total,
        done=at["done"],
        verified=rules_kept and task.done(at["state"]) and total in (None, at["step"]),
        k=settings.k,
        samples=max(spent.samples, totals["samples"]),
        votes=totals["votes"],
        outvoted=totals["outvoted"],
        first_sample_wrong_at=totals["first_sample_wrong_at"],
        rounds=totals["rounds"],
        flags=dict(sorted(totals["flags"].items())),
        tokens=Usage(input=spent.input, cached=spent.cached, output=spent.output),
        cost_usd=round(spent.cost, 6),
        seconds=round(spent.seconds, 3),
        digest=at["digest"],
        drafts=Drafts(
            calls=spent.drafts,
            tokens=Usage(input=spent.draft_input, cached=spent.draft_cached, output=spent.draft_output),
            cost_usd=round(spent.draft_cost, 6),
        ),
        dropped=max(0, spent.samples - totals["samples"]),
        lost=totals.get("lost", 0),
        sessions=run.journal.owners(),
    )


def answers(run: Run) -> Iterator[Any]:
    """Yield the decided answer of each step in order, None for a step that was left open."""
    for decision in run.journal.decisions():
        yield decision["answer"]
