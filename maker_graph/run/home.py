"""An opened run, and its home: the place that holds its journal and what is kept beside it.

A run is at home in a directory (`directory.py`), or in a database under its name (`remote.py`). There are its journal,
its settings, what its task gave it to keep, what its session says about itself, and the answers that people have left.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar, NamedTuple

from maker_graph.core.guarding import AnyTask
from maker_graph.core.machine import Machine
from maker_graph.errors import UnusableRun, UsageError
from maker_graph.journal.protocol import NO_NOTES, Journal, Notes
from maker_graph.run.left_answers import LeftAnswers
from maker_graph.run.session import SeenSession, Voice
from maker_graph.run.settings import Settings
from maker_graph.tasks.inputs import see_declared, see_files
from maker_graph.tasks.loading import LoadedTask, load_task, of_table, runs_foreign_code
from maker_graph.tasks.slicing import some

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Stamp(NamedTuple):
    """A value that differs as soon as anything in a run has changed, and the time of the last change.

    Attributes:
        what: the value, to be compared with an earlier one.
        moved: seconds since 1970, on the clock of the machine or database that holds the run.
    """

    what: Hashable
    moved: float


class Home(ABC):
    """The place that holds a run. `str` returns it as it is shown to people.

    Attributes:
        kind: what it is, in a word, such as "directory".
        name: the name of the run.
        folder: the folder on this machine for what people look at: the report, files of labels. It may not exist yet.
    """

    kind: ClassVar[str]
    name: str
    folder: Path

    @property
    @abstractmethod
    def command(self) -> str:
        """What follows `maker-graph resume` to name the run, quoted for a shell. There is no password in it."""

    @abstractmethod
    def close(self) -> None:
        """Close what was opened to look at the run."""

    @abstractmethod
    def made_folder(self) -> Path:
        """Make the folder for what people look at, if it does not exist yet, and return it.

        Raises:
            LimitReached: there is no room, or no access.
        """

    @abstractmethod
    def holds(self, path: Path) -> bool:
        """Say whether `path` is in a directory that is the run's own."""

    @abstractmethod
    def keeps(self, path: Path) -> bool:
        """Say whether `path` is the place of a file that belongs to the run itself, whether the file exists or not."""

    @abstractmethod
    def is_there(self) -> bool:
        """Say whether there is a run."""

    @abstractmethod
    def stamp(self) -> Stamp:
        """Return a stamp, to see later whether anything of the run has changed. It costs little."""

    @abstractmethod
    def settings(self) -> Settings:
        """Return the settings of the run.

        Raises:
            UnusableRun: there is no run, or a newer maker_graph made it.
            DamagedRun: its settings cannot be read.
        """

    @abstractmethod
    def created(
        self, settings: Settings, task: AnyTask | LoadedTask | None = None, notes: Notes = NO_NOTES
    ) -> "AbstractContextManager[Run]":
        """Make a new run here, with `notes` in its journal, and open it. It is there as a whole or not at all.

        Raises:
            UnusableRun: there is one already, or there cannot be one.
            UsageError: a setting cannot be written in UTF-8, such as the name of a file in another encoding.
        """

    @abstractmethod
    def opened(self, task: AnyTask | LoadedTask | None = None, *, accept_loss: bool = False) -> "AbstractContextManager[Run]":
        """Open the run; see `directory.opened`.

        Raises:
            UnusableRun: there is no run, another process holds it, or a newer maker_graph wrote it.
            DamagedRun: its settings or its journal cannot be read, or do not belong together.
            OlderJournal: the journal is an older copy: what was committed or paid for since is missing from it.
        """

    @abstractmethod
    def kept(self) -> str | None:
        """Return what the task gave the run to keep; None if it gave nothing.

        Raises:
            DamagedRun: it cannot be read.
        """

    @abstractmethod
    def voice(self, journal: Journal) -> Voice:
        """Return where the session that writes this journal says how it stands."""

    @abstractmethod
    def session(self) -> SeenSession | None:
        """Return what the last session said, and whether its process lives; None if nothing can be read."""

    @abstractmethod
    def last_replies(self, steps: Sequence[int]) -> dict[int, list[str]]:
        """Return item -> its last replies, for those of the items `steps` whose replies were kept."""

    @abstractmethod
    def answers(self) -> LeftAnswers:
        """Return the answers that people have left for the run."""


class Run:
    """An opened run. Its task is made when it is first needed. Code that does not ship is only imported by `load`.

    Attributes:
        home: the home of the run.
        settings: what was asked for.
        journal: the record of its decided steps.
    """

    def __init__(self, home: Home, settings: Settings, journal: Journal, task: AnyTask | LoadedTask | None = None) -> None:
        """Take what was opened. The inputs of a task are checked later, unless it is a `LoadedTask`."""
        self.home = home
        self.settings = settings
        self.journal = journal
        self._task = task.task if isinstance(task, LoadedTask) else task
        self._held = isinstance(task, LoadedTask)
        if self._task is not None and settings.slice is not None and not self._held:
            self._task = some(self._task, settings.slice)
        self._machine: Machine | None = None

    def load(self) -> None:
        """Make the task by its name in the settings, unless it is there, and compare its inputs with those of the run.

        A name like `package.module:name` imports that module and may call what it finds. This runs code that whoever
        made the run has chosen.

        Raises:
            UsageError: it cannot be made.
            UnusableRun: an input is no longer the one with which the run began.
        """
        name, options, began, only = self.settings.task, self.settings.options, self.settings.began, self.settings.slice
        if self._task is None:
            self._task = load_task(name, options, began, self.home.kept(), only).task
        elif not self._held and began is not None:
            table = of_table(name, only)
            see_files(name, began, options, table)
            see_declared(name, began, options, self._task, table)
        self._held = True

    @property
    def has_task(self) -> bool:
        """Whether the task is there, or can be made without code that does not ship.

        The input of a run in a database may be on another machine. Then its task cannot be made here.
        """
        if self._task is not None or self._is_code:
            return self._task is not None
        if self.home.kind == "directory":
            return True
        try:
            self.load()
        except UsageError:
            return False
        return True

    @property
    def _is_code(self) -> bool:
        return runs_foreign_code(self.settings.task, self.settings.options)

    @property
    def task(self) -> AnyTask:
        """The task.

        Raises:
            UnusableRun: the task does not ship, and was neither handed in nor loaded (`load`); or one of its inputs is
                no longer the one with which the run began.
        """
        if self._task is None and self._is_code:
            name, kind = self.settings.task, self.home.kind
            raise UnusableRun(
                f"{self.home} is a run of {name}, which is code that its {kind} names and maker_graph does not know. "
                f"If you know it, name it (--task {name}, in Python task=), or trust the {kind} (--trust, trust=True)."
            )
        self.load()
        assert self._task is not None  # noqa: S101  it was loaded just now
        return self._task

    @property
    def machine(self) -> Machine:
        """The step machine of the task."""
        if self._machine is None:
            self._machine = Machine(self.task)
        return self._machine


def see_name(name: str) -> None:
    """Make sure that a run can have this name.

    Raises:
        UnusableRun: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise UnusableRun(f"{name!r} is not a name for a run: use letters, digits, dots, dashes and underscores, at most 64.")


def see_text(origin: str) -> None:
    """Make sure that the settings of a run are text. In a locale other than UTF-8, the name of a file may not be.

    Raises:
        UsageError: they cannot be written.
    """
    try:
        origin.encode()
    except UnicodeEncodeError:
        raise UsageError(
            "The settings cannot be kept: a name in them is not text. Rename the file, or set a UTF-8 locale."
        ) from None
