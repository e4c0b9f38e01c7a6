"""A run in a directory.

These files are there:

settings.json      what was asked for; the first hash of the journal is computed from it
kept.txt           what the task gave the run to keep, if it gave anything
journal.db         every decided step: the truth
journal.watermark  how far the journal has come
checkpoints.db     LangGraph's snapshots, one per segment
session.json       which session is at work, or why the last one ended
last_replies.jsonl the last replies to items that were left open
answers            a folder with what people have answered, for the next session
"""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from shlex import quote

from maker_graph.core.characters import visible
from maker_graph.core.guarding import AnyTask
from maker_graph.core.task import Keeps
from maker_graph.errors import DamagedRun, UnusableRun
from maker_graph.files import is_there, odd_kind, write_whole
from maker_graph.journal.protocol import NO_NOTES, Journal, Notes
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.database import Fsync, disk_errors
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.journal.watermark import witness_path
from maker_graph.run.birth import cradle
from maker_graph.run.home import Home, Run, Stamp, see_name, see_text
from maker_graph.run.left_answers import FOLDER, AnswerFiles, LeftAnswers
from maker_graph.run.session import SeenSession, Voice
from maker_graph.run.session_file import REPLIES, SESSION, SessionFile, last_replies, read_session
from maker_graph.run.settings import Settings, read_settings
from maker_graph.tasks.loading import LoadedTask

_DATABASES = ("journal.db", "checkpoints.db")
_KEPT = "kept.txt"
_FILES = (
    *("settings.json", _KEPT, "journal.watermark", SESSION, REPLIES),
    *(f"{name}{end}" for name in _DATABASES for end in ("", "-wal", "-shm")),
)

RUNS_READ = 1_000
"""At most this many runs are compared with a name that is that of no run."""

RUNS_NAMED = 5
"""How many other runs an error names if there is no run of a name."""

_TOLD = ("journal.db", "journal.db-wal", "journal.watermark", "settings.json", SESSION, FOLDER)
"""At least one of these changes whenever anything of a run does."""


class Directory(Home):
    """The home of a run in a directory."""

    kind = "directory"

    def __init__(self, path: Path, fsync: Fsync = "full") -> None:
        """Take the directory, in which there may be a run. `fsync` says when an opened run waits for the disk."""
        self.folder, self.name = path, path.name
        self._fsync = fsync

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def command(self) -> str:
        """The directory, quoted for a shell: a command names the run by it."""
        return quote(str(self.folder))

    def close(self) -> None:
        """Do nothing: no file is kept open."""

    def made_folder(self) -> Path:
        """Return the directory."""
        return self.folder

    def holds(self, path: Path) -> bool:
        """Say whether `path` is in the directory."""
        return path.resolve().is_relative_to(self.folder.resolve())

    def keeps(self, path: Path) -> bool:
        """Say whether `path` is the place of a file that belongs to the run itself, whether the file exists or not."""
        place = path.resolve()
        return place.parent == self.folder.resolve() and place.name in _FILES

    def is_there(self) -> bool:
        """Say whether there is a run in the directory."""
        return is_there(self.folder / "settings.json")

    def stamp(self) -> Stamp:
        """Return which files there are, how long they are, and when they were last written."""
        files = [_file(self.folder / name) for name in _TOLD]
        return Stamp(tuple(files), max((found[-1] for found in files[:2] if found is not None), default=0) / 1e9)

    def settings(self) -> Settings:
        """Return the settings of the run; see `settings_of`."""
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
        """Return what the task gave the run to keep; None if it gave nothing.

        Raises:
            DamagedRun: it cannot be read.
        """
        path = self.folder / _KEPT
        try:
            return path.read_bytes().decode() if is_there(path) else None
        except (OSError, UnicodeDecodeError) as error:
            raise DamagedRun(f"{path} is damaged ({error}): put back a copy of it, or start a new run.") from None

    def voice(self, journal: Journal) -> Voice:  # noqa: ARG002  a file needs none
        """Return what writes down how the session stands: it writes to files in the directory."""
        return SessionFile(self.folder)

    def session(self) -> SeenSession | None:
        """Return what the last session said, and whether its process lives; None if nothing can be read."""
        return read_session(self.folder)

    def last_replies(self, steps: Sequence[int]) -> dict[int, list[str]]:
        """Return item -> its last replies, for those of the items `steps` whose replies were kept."""
        return last_replies(self.folder, steps)

    def answers(self) -> LeftAnswers:
        """Return the answers that people have left for the run: files in the directory."""
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
    """Make the directory of a new run, with `notes` in its journal, and open the run. `task` is as in `opened`.

    The directory appears as a whole or not at all. It is made under another name, and renamed once all of it is on the
    disk.

    Raises:
        UnusableRun: the directory exists and is not empty, or cannot be made, or its name is not allowed.
        UsageError: a setting cannot be written in UTF-8, such as the name of a file in another encoding.
        LimitReached: the disk is full.
    """
    see_name(directory.name)
    _see_free(directory)
    origin = settings.origin()
    see_text(origin)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableRun(f"{directory} cannot be made ({error.strerror}): give access, or another --run.") from None
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
    """Open the run in `directory`. If it cannot be written, it can still be looked at.

    Args:
        directory: the directory of the run.
        task: the task of the run. With None, `Run.task` and `Run.load` make it later, because a look at a run must not
            import what its settings name.
        fsync: when to wait for the disk.
        accept_loss: open the run although its journal is an older copy of itself.

    Raises:
        UnusableRun: there is no run, another process holds it, or a newer maker_graph wrote it.
        DamagedRun: its settings or its journal cannot be read, or do not belong together.
        OlderJournal: the journal is an older copy: what was committed or paid for since is missing from it.
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
    """Make sure that a run can be made in `directory`: the directory does not exist, or is empty.

    Raises:
        UnusableRun: something is there.
    """
    empty = directory.is_dir() and not directory.is_symlink() and not any(directory.iterdir())
    if empty or not os.path.lexists(directory):
        return
    if is_there(directory / "settings.json"):  # asked last, because another process may make the run just now
        raise UnusableRun(f"{directory} exists: resume it (maker-graph resume {directory}), or give another --run.")
    raise UnusableRun(f"{directory} exists and is not a run: give another --run.")


def _sync(path: Path) -> None:
    """Wait until a file or a directory is on the disk, if the file system can do that."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(file)


def _see_kinds(directory: Path) -> None:
    """Make sure that the files of a run are regular files. Reading a pipe might never end.

    Raises:
        DamagedRun: one of them is something else, such as a pipe.
    """
    for name in _FILES:
        if kind := odd_kind(directory / name):
            raise DamagedRun(f"{directory / name} is {kind}: put the file back that was there, or start a new run.")


def _missing(directory: Path) -> str:
    """Return what is missing in a directory that is not a run, and which runs are beside it."""
    there = is_there(directory)
    what = "it has no settings.json" if there else "there is no such directory"
    folder = directory if there and next(directory.glob("*/settings.json"), None) else directory.parent
    names = sorted(visible(each.parent.name) for each in islice(folder.glob("*/settings.json"), RUNS_READ))
    near = get_close_matches(directory.name, names, n=1)
    meant = f". Did you mean {near[0]}?" if near else "." if names else ""
    more = " and others" if len(names) > RUNS_NAMED else ""
    return what + meant + (f" The runs in {folder} are {', '.join(names[:RUNS_NAMED])}{more}" if names else "")


def settings_of(directory: Path) -> Settings:
    """Return the settings of the run in `directory`, from its settings.json.

    Raises:
        UnusableRun: there is no run, or a newer maker_graph made it.
        DamagedRun: its settings cannot be read.
    """
    path = directory / "settings.json"
    try:
        _see_kinds(directory)
        return read_settings(path.read_text(encoding="utf-8"), str(path))
    except PermissionError as error:
        raise UnusableRun(f"{path} cannot be read ({error.strerror}): give access to it.") from None
    except OSError:
        if is_there(directory.with_name(f"{directory.name}.labelled")):
            raise UnusableRun(
                f"{directory} is not a run yet: labelled rows are being measured for it. Call the command with "
                "--labelled again."
            ) from None
        raise UnusableRun(f"{directory} is not a run: {_missing(directory)}.") from None
    except UnicodeDecodeError as error:
        raise DamagedRun(f"{path} is damaged ({error}): put back a copy of it, or start a new run.") from None
