"""A run in a directory: settings, checkpoints and journal; and what can be said of any run without a model.

settings.json      what was asked for; it is part of the journal's first hash
kept.txt           what the task gave the run to keep, if it gave anything
journal.db         every decided step: the truth
journal.watermark  how far the journal has come
checkpoints.db     LangGraph's snapshots, one per segment
session.json       which session is at work, or why the last one ended
last_replies.jsonl the last replies to items that were left open
answers            what people have answered, for the next session
"""

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from shlex import quote
from typing import NamedTuple, NotRequired

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from maker_graph.core.canonical import JSON, plain
from maker_graph.core.checks import failed
from maker_graph.core.guarding import AnyTask, total_of
from maker_graph.core.judging import Usage
from maker_graph.core.machine import MakerOutput, Totals, added, digest_after, no_totals
from maker_graph.core.spending import Spent
from maker_graph.core.task import Concludes, Keeps
from maker_graph.core.verdict import Examiner, Findings, Verdict, verified
from maker_graph.errors import DamagedRun, Undecided, UnusableRun
from maker_graph.files import is_there, odd_kind, write_whole
from maker_graph.journal.protocol import NO_NOTES, Journal, Notes
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.database import Fsync, disk_errors
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.journal.watermark import witness_path
from maker_graph.run.birth import cradle
from maker_graph.run.home import Home, Run, Stamp, see_name, see_text
from maker_graph.run.left_answers import FOLDER, AnswerFiles, LeftAnswers
from maker_graph.run.options import kept_options
from maker_graph.run.rungs import RungCounts, counted_rungs
from maker_graph.run.session import SeenSession, Voice
from maker_graph.run.session_file import REPLIES, SESSION, SessionFile, last_replies, read_session
from maker_graph.run.settings import Settings, read_settings
from maker_graph.tasks.loading import LoadedTask

LONG = 20_000
"""Steps whose replay takes seconds, which is worth a word."""

_DATABASES = ("journal.db", "checkpoints.db")
_KEPT = "kept.txt"
_FILES = (
    *("settings.json", _KEPT, "journal.watermark", SESSION, REPLIES),
    *(f"{name}{end}" for name in _DATABASES for end in ("", "-wal", "-shm")),
)


_TOLD = ("journal.db", "journal.db-wal", "journal.watermark", "settings.json", SESSION, FOLDER)
"""What changes as soon as anything of a run does."""


class Drafts(TypedDict):
    """The drafts of a run with lookahead: calls, their tokens, and their part of the cost."""

    calls: int
    tokens: Usage
    cost_usd: float | None


class Stuck(TypedDict):
    """The step on which a run last stopped undecided: why, its votes, red flags and samples on all rungs.

    `passed` says that it is contested: it waits for an answer, and no model votes on it again.
    """

    step: int
    reason: str
    ballot: dict[str, int]
    flags: dict[str, int]
    samples: int
    passed: NotRequired[bool]


class Summary(TypedDict):
    """A run in figures: what `--json` prints, the same for run, resume, status and verify.

    `verdict` is what the run is worth, in a word of `core/verdict.py`, and `because` says why, in a clause. `verified` is True
    for proved and right, False for contradicted, and None otherwise. `wrong` are the decided steps that contradict the truth,
    None if the task does not know it; where steps depend on each other, none is compared after the first wrong one.

    `result` is what the task says it came to (`result(state)`); None before its end, and if it does not say. `k` is the lead
    that decides; `leads` are those of the voted parts, if the task has several.

    `single_differs` are the steps whose first sample alone does not give the decided answer; `first_sample_wrong_at` is the
    first of them. `single_wrong` are those on which it would have been wrong, held against the truth as `wrong` is.

    `cost_usd` is what was spent, not what a simulated model would have cost, and None where no price is known; `seconds` is the
    time that the run was at work. `samples`, `tokens` and `cost_usd` count everything that was drawn, also for steps that were
    not decided; votes are of committed steps, and flags of these and of the step that is `stuck`: None if the run did not stop
    undecided. `dropped` samples are no part of a committed step: votes on a state that was drafted wrong, or cut short by the
    end of a session. `lost` replies never came, for a reason that may depend on what they said. `sessions` counts how often
    somebody went on with the run, the first time included.

    `rule` is what decides, in words. `passed` are the open steps that are contested and not stuck: no model votes on them
    again. `rungs` are those of the cascade and what each took, if there is one.

    `proved` are the steps whose answer the task's verifier proved. `standings` says of how many votes it said "proved", "valid"
    and "unknown"; those that it called invalid are among the flags. `merged` are the steps whose winner won only because the
    task's `key` makes one candidate of several answers.

    Without the run's task nothing is replayed: then `total`, `done`, `verdict`, `because`, `verified`, `wrong`, `single_wrong`
    and `digest` are None.
    """

    run: str
    task: str
    model: str
    simulated: bool
    steps: int
    total: int | None
    done: bool | None
    verdict: Verdict | None
    because: str | None
    verified: bool | None
    wrong: int | None
    result: JSON
    k: int
    leads: dict[str, int]
    samples: int
    votes: int
    outvoted: int
    first_sample_wrong_at: int | None
    single_differs: int
    single_wrong: int | None
    rounds: int
    flags: dict[str, int]
    tokens: Usage
    cost_usd: float | None
    seconds: float
    digest: str | None
    drafts: Drafts
    dropped: int
    lost: int
    sessions: int
    stuck: Stuck | None
    rule: str
    passed: int
    rungs: list[RungCounts]
    proved: int
    standings: dict[str, int]
    merged: int


class Directory(Home):
    """The home of a run in a directory."""

    kind = "directory"

    def __init__(self, path: Path, fsync: Fsync = "full") -> None:
        """Make the home in a directory. `fsync` says when an opened run waits for the disk."""
        self.folder, self.name = path, path.name
        self._fsync = fsync

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def command(self) -> str:
        """How a command names the run: by the directory."""
        return quote(str(self.folder))

    def close(self) -> None:
        """Let go of nothing: no file is kept open."""

    def made_folder(self) -> Path:
        """Return the directory."""
        return self.folder

    def holds(self, path: Path) -> bool:
        """Say whether `path` is in the directory."""
        return path.resolve().is_relative_to(self.folder.resolve())

    def keeps(self, path: Path) -> bool:
        """Say whether `path` is a file in which the run is kept, there or not there yet."""
        place = path.resolve()
        return place.parent == self.folder.resolve() and place.name in _FILES

    def is_there(self) -> bool:
        """Say whether there is a run in the directory."""
        return is_there(self.folder / "settings.json")

    def stamp(self) -> Stamp:
        """Return which files there are, their sizes, and when they were written."""
        files = [_file(self.folder / name) for name in _TOLD]
        return Stamp(tuple(files), max((found[-1] for found in files[:2] if found is not None), default=0) / 1e9)

    def settings(self) -> Settings:
        """Return what the run was asked for; see `settings_of`."""
        return settings_of(self.folder)

    def created(
        self, settings: Settings, task: AnyTask | LoadedTask | None = None, notes: Notes = NO_NOTES
    ) -> AbstractContextManager[Run]:
        """Make a new run here, and open it; see `created`."""
        return created(self.folder, settings, task, fsync=self._fsync, notes=notes)

    def opened(self, task: AnyTask | LoadedTask | None = None, *, accept_loss: bool = False) -> AbstractContextManager[Run]:
        """Open the run; see `opened`."""
        return opened(self.folder, task, fsync=self._fsync, accept_loss=accept_loss)

    def kept(self) -> str | None:
        """Return what the task of the run gave it to keep; None if that is nothing.

        Raises:
            DamagedRun: it cannot be read.
        """
        path = self.folder / _KEPT
        try:
            return path.read_bytes().decode() if is_there(path) else None
        except (OSError, UnicodeDecodeError) as error:
            raise DamagedRun(f"{path} is damaged: {error}.") from None

    def voice(self, journal: Journal) -> Voice:  # noqa: ARG002  a file needs none
        """Return the voice of its session: a file in the directory."""
        return SessionFile(self.folder)

    def session(self) -> SeenSession | None:
        """Return what the last session on the run said, and whether its process lives; None if nothing can be read."""
        return read_session(self.folder)

    def last_replies(self, steps: Sequence[int]) -> dict[int, list[str]]:
        """Return the last replies to items that were left open, by their number, as far as they were kept."""
        return last_replies(self.folder, steps)

    def answers(self) -> LeftAnswers:
        """Return the answers that were left for the run: files in the directory."""
        return AnswerFiles(self.folder)


@contextmanager
def created(
    directory: Path,
    settings: Settings,
    task: AnyTask | LoadedTask | None = None,
    *,
    fsync: Fsync = "full",
    notes: Mapping[str, str] | None = None,
) -> Iterator[Run]:
    """Make the directory of a new run, with `notes` in its journal, and open it; `task` is its task, as in `opened`.

    It is there as a whole or not at all: it is made under another name, and gets its own when all of it is on the disk.

    Raises:
        UnusableRun: the directory exists and is not empty, cannot be made, or has a name that is not allowed.
        UsageError: a setting is no text: the name of a file in another encoding, for example.
        LimitReached: the disk is full.
    """
    see_name(directory.name)
    _see_free(directory)
    origin = settings.origin()
    see_text(origin)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableRun(f"{directory} cannot be made: {error.strerror}.") from None
    with cradle(directory) as draft, disk_errors(str(directory)):
        create_journal(draft / "journal.db", origin, notes)
        write_whole(draft / "settings.json", settings.text(), private=True)
        made = task.task if isinstance(task, LoadedTask) else task
        if isinstance(made, Keeps):
            write_whole(draft / _KEPT, made.keep(), private=True)
        for path in (*draft.iterdir(), draft):
            _sync(path)
        try:
            draft.rename(directory)  # onto nothing, or an empty directory; the system refuses any other
        except OSError:
            _see_free(directory)  # another process was faster
            raise
        _sync(directory.parent)
    with opened(directory, task, fsync=fsync) as run:
        yield run


@contextmanager
def opened(
    directory: Path, task: AnyTask | LoadedTask | None = None, *, fsync: Fsync = "full", accept_loss: bool = False
) -> Iterator[Run]:
    """Open the run in `directory`; one that cannot be written can be looked at.

    Args:
        directory: the run.
        task: its task; None leaves it to `Run.task` and `Run.load`: to look at a run must not import what its settings name.
        fsync: when the disk is waited for.
        accept_loss: open it although its journal is an older copy of itself.

    Raises:
        UnusableRun: there is no run, another process holds it, or a newer maker_graph wrote it.
        DamagedRun: its settings or its journal cannot be read, or do not belong together.
        OlderJournal: what was committed or paid for since is missing from its journal.
    """
    settings = settings_of(directory)
    witness = witness_path(directory, settings.id)
    journal = SqliteJournal(directory / "journal.db", settings.origin(), fsync=fsync, witness=witness, accept_loss=accept_loss)
    with closing(journal):
        yield Run(Directory(directory, fsync), settings, journal, task)


def _file(path: Path) -> tuple[int, ...] | None:
    """Return the identity, size and time of the file at `path`; None if there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116  it is asked several times a second
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _see_free(directory: Path) -> None:
    """See that a run can be made in `directory`: it is not there, or empty.

    Raises:
        UnusableRun: it cannot.
    """
    if is_there(directory / "settings.json"):
        raise UnusableRun(f"{directory} exists: resume it (maker-graph resume {directory}), or give another --run.")
    empty = directory.is_dir() and not directory.is_symlink() and not any(directory.iterdir())
    if os.path.lexists(directory) and not empty:
        raise UnusableRun(f"{directory} exists and is no run: give another --run.")


def _sync(path: Path) -> None:
    """Wait until a file or a directory is on the disk, if the system allows to wait."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(file)


def _see_kinds(directory: Path) -> None:
    """See that what a run is kept in are files: a pipe, or a device, would be waited for or written into.

    Raises:
        DamagedRun: one of them is something else.
    """
    for name in _FILES:
        if kind := odd_kind(directory / name):
            raise DamagedRun(f"{directory / name} is {kind}: put the file back that was there, or start a new run.")


def settings_of(directory: Path) -> Settings:
    """Return what the run in `directory` was asked for, as far as its settings.json tells.

    Raises:
        UnusableRun: there is no run, or a newer maker_graph made it.
        DamagedRun: its settings cannot be read.
    """
    path = directory / "settings.json"
    try:
        _see_kinds(directory)
        return read_settings(path.read_text(encoding="utf-8"), str(path))
    except OSError:
        if is_there(directory.with_name(f"{directory.name}.labelled")):
            raise UnusableRun(
                f"{directory} is no run yet: labelled rows are being measured for it. Call the command with --labelled again."
            ) from None
        raise UnusableRun(f"{directory} is no run: it has no settings.json.") from None
    except UnicodeDecodeError as error:
        raise DamagedRun(f"{path} is damaged: {error}.") from None


def summary(run: Run, progress: Callable[[int], None] = lambda _: None) -> Summary:
    """Return the run in figures, and what it is worth: replayed from its journal by the task's rules, without a model.

    A million steps take a minute or two; `progress` is told the step every thousand.

    Of a run whose task does not ship and is not loaded, the steps are counted and their hashes checked.

    Raises:
        DamagedRun: the journal was changed since it was written.
    """
    found = _replayed(run, progress) if run.has_task else _counted(run, progress)
    totals, findings, settings, spent, stuck = (
        found.totals,
        found.findings,
        run.settings,
        run.journal.account().spent,
        _stuck(run.journal),
    )
    priced = _all_priced(run, spent)

    def cost(usd: float) -> float | None:
        return round(usd, 6) if priced else None

    return Summary(
        run=run.home.name,
        task=settings.task,
        model=settings.model,
        simulated=settings.simulated,
        steps=found.steps,
        total=total_of(run.task) if run.has_task else None,
        done=found.done,
        verdict=findings and findings.verdict,
        because=findings and findings.because,
        verified=findings and verified(findings.verdict),
        wrong=findings and findings.wrong,
        result=found.result,
        k=settings.k,
        leads=settings.leads,
        samples=max(spent.samples, totals["samples"]),
        votes=totals["votes"],
        outvoted=totals["outvoted"],
        first_sample_wrong_at=totals["first_sample_wrong_at"],
        single_differs=found.single_differs,
        single_wrong=findings and findings.single_wrong,
        rounds=totals["rounds"],
        flags=_sum(totals["flags"], {} if stuck is None else stuck["flags"]),
        tokens=Usage(input=spent.input, cached=spent.cached, output=spent.output),
        cost_usd=cost(spent.cost),
        seconds=round(spent.seconds, 3),
        digest=found.digest,
        drafts=Drafts(
            calls=spent.drafts,
            tokens=Usage(input=spent.draft_input, cached=spent.draft_cached, output=spent.draft_output),
            cost_usd=cost(spent.draft_cost),
        ),
        dropped=max(0, spent.samples - totals["samples"]),
        lost=totals.get("lost", 0),
        sessions=run.journal.owners(),
        stuck=stuck,
        rule=str(settings.voting.rule),
        passed=sum(map(settings.passed, (decision for _, decision in run.journal.left_open()))),
        rungs=counted_rungs(settings, kept_options(run.journal), run.journal.decisions() if settings.cascade else ()),
        proved=totals.get("proved", 0),
        standings=totals.get("standings", {}),
        merged=totals.get("merged", 0),
    )


def _all_priced(run: Run, spent: Spent) -> bool:
    """Say whether the price of each call was known; maker_graph 0.1.0 did not count those for which it was not."""
    free = spent.cost or not spent.samples or run.settings.info.ships or kept_options(run.journal).price is not None
    return not spent.unpriced and bool(free)


def _sum(flags: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: flags.get(name, 0) + more.get(name, 0) for name in sorted({*flags, *more})}


_VERDICT = "verdict"


def keep_verdict(run: Run, found: Summary) -> None:
    """Keep with the run what it is worth, for who looks at it and does not replay it."""
    kept = {name: found[name] for name in ("steps", "verdict", "because")}
    text = json.dumps({**kept, "amended": run.journal.account().amended})
    if run.journal.note(_VERDICT) != text:
        run.journal.set_note(_VERDICT, text)


def kept_verdict(run: Run) -> tuple[Verdict, str] | None:
    """Return the kept verdict on the run as it is now, with its reason; None if it was not replayed yet."""
    note = run.journal.note(_VERDICT)
    kept = {} if note is None else json.loads(note)
    now = (run.journal.step, run.journal.account().amended)
    return (kept["verdict"], kept["because"]) if (kept.get("steps"), kept.get("amended")) == now else None


_STUCK = "stuck"


def stuck_note(step: int, error: Undecided) -> tuple[str, str]:
    """Return the name and the text of the note that a run keeps of the step on which it stopped undecided."""
    stuck = Stuck(
        step=step, reason=error.reason, ballot=error.ballot, flags=error.flags, samples=error.samples, passed=error.passed
    )
    return _STUCK, json.dumps(stuck)


def stuck_step(journal: Journal) -> int | None:
    """Return the number of the step on which the run stopped undecided, if it has not been decided since.

    Raises:
        DamagedRun: the note of it cannot be read.
    """
    stuck = _stuck(journal)
    return None if stuck is None else stuck["step"]


def _stuck(journal: Journal) -> Stuck | None:
    """Return the step on which the run stopped undecided, if it has not been decided since."""
    if (note := journal.note(_STUCK)) is None:
        return None
    try:
        stuck = TypeAdapter(Stuck).validate_json(note)
    except ValidationError as error:
        raise DamagedRun(f"The journal is damaged: the note of its stuck step cannot be read ({error.title}).") from None
    return stuck if stuck["step"] == journal.step + 1 else None


class _Found(NamedTuple):
    """What the steps of a journal say; what only a replay tells is None without one."""

    steps: int
    totals: Totals
    single_differs: int
    done: bool | None = None
    findings: Findings | None = None
    digest: str | None = None
    result: JSON = None


def _result(task: Concludes, at: MakerOutput) -> JSON:
    try:
        return plain(task.result(at["state"]), own=True)
    except Exception as error:
        raise failed("result", error) from error


def _replayed(run: Run, progress: Callable[[int], None]) -> _Found:
    at, examiner = run.machine.begin(), Examiner(run.task)
    amended = run.journal.amendments()
    digest, totals = at["digest"], at["totals"]
    for committed, before, after in run.journal.replay(run.machine):
        at, decision = after, amended.get(after["step"], committed)
        if amended:  # else both are those of the replay
            digest, totals = digest_after(digest, at["step"], decision), added(totals, decision, at["step"])
        examiner.see(decision, before)
        if at["step"] % 1000 == 0:
            progress(at["step"])
    if not amended:
        digest, totals = at["digest"], at["totals"]
    findings = examiner.found(at)
    task = run.machine.task
    result = _result(task, at) if isinstance(task, Concludes) and at["done"] else None
    return _Found(at["step"], totals, findings.single_differs, at["done"], findings, digest, result)


def _counted(run: Run, progress: Callable[[int], None]) -> _Found:
    run.journal.check(run.journal.step)
    step, differs, totals = 0, 0, no_totals()
    for step, decision in enumerate(run.journal.decisions(), start=1):
        totals = added(totals, decision, step)
        differs += not decision["first_agrees"]
        if step % 1000 == 0:
            progress(step)
    return _Found(step, totals, differs)
