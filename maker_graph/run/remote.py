"""The home of a run in a database of journals: an address and a name, which every machine that reaches the database can use.

All of the run is in the database: its settings, what its task gave it to keep, its journal, what its session says, and what
people answer. There are no checkpoints: the journal keeps places (`places.py`). On a machine there is a folder of the run's
name for what people look at, made when it is first needed, and the high-water mark of its journal.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Any, cast

from pydantic import ValidationError

from maker_graph.core.guarding import AnyTask
from maker_graph.core.task import Keeps
from maker_graph.errors import DamagedRun, LimitReached, MakerError, OutOfReach, UnusableRun, UsageError
from maker_graph.files import is_there
from maker_graph.journal.postgres import schema
from maker_graph.journal.postgres.connection import Connection, shown, without_password
from maker_graph.journal.postgres.journal import LEASE, Found, PostgresJournal, find, make_run
from maker_graph.journal.protocol import NO_NOTES, Journal, Notes
from maker_graph.journal.watermark import witness_path
from maker_graph.run.home import Home, Run, Stamp, see_name, see_text
from maker_graph.run.left_answers import MOST, KeptAnswer, LeftAnswer, LeftAnswers, Reply
from maker_graph.run.session import Said, SeenSession, State, Voice
from maker_graph.run.settings import Settings, read_settings
from maker_graph.tasks.loading import LoadedTask

AT_ONCE = 100
"""So many last replies are kept with one statement."""

HELD = 2.0
"""Seconds for which last replies are held back at most, while there are more."""


JOURNAL = "MAKER_GRAPH_JOURNAL"
"""The environment variable with the address of the journals that the command line uses."""


class Remote(Home):
    """The home of a run in a database of journals.

    Attributes:
        connection: to the database.
        lease: seconds after which a process that goes on with the run counts as dead if it is not heard of.
    """

    kind = "journal"

    def __init__(self, name: str, connection: Connection, *, lease: float = LEASE) -> None:
        """Stand for the run of this name; the database is not asked yet.

        Raises:
            UnusableRun: no run can have this name.
        """
        see_name(name)
        self.name, self.connection, self.lease = name, connection, lease
        self.folder = Path("runs") / name

    def __str__(self) -> str:
        return f"{self.name} at {shown(self.connection.address)}"

    @property
    def command(self) -> str:
        """How a command names the run: by its name, and the address where a command does not know it."""
        if os.environ.get(JOURNAL) == self.connection.address:
            return quote(self.name)
        return f"{quote(self.name)} --journal {quote(without_password(self.connection.address))}"

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def made_folder(self) -> Path:
        """Return the folder for what people look at, which is there then.

        Raises:
            UsageError: another run is there.
            LimitReached: there is no room, or no access.
        """
        if is_there(self.folder / "settings.json"):
            raise UsageError(f"{self.folder} is a run of its own, and no place for files of {self}: go to another folder.")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LimitReached(
                f"{self.folder} cannot be made ({error.strerror}): make room, or give access, and try again."
            ) from None
        return self.folder

    def holds(self, path: Path) -> bool:  # noqa: ARG002  it has none
        """Say whether `path` is in a directory that is the run's own: it has none."""
        return False

    def keeps(self, path: Path) -> bool:  # noqa: ARG002  as above
        """Say whether `path` is a file in which the run is kept: there is none."""
        return False

    def found(self) -> Found:
        """Return the run as the database has it.

        Raises:
            UnusableRun: it is not there.
            OutOfReach: the database cannot be reached.
        """
        self.connection.see_tables()
        return find(self.connection, self.name)

    def is_there(self) -> bool:
        """Say whether the database has a run of this name.

        Raises:
            OutOfReach: the database cannot be reached.
        """
        try:
            self.found()
        except UnusableRun:
            return False
        return True

    def stamp(self) -> Stamp:
        """Return who owns the run, how often it was written, what its session says, and what people have answered.

        Raises:
            OutOfReach: the database cannot be reached.
        """
        row = self.connection.row(schema.STAMP, {"name": self.name})
        return Stamp(None, 0.0) if row is None else stamp_of(row)

    def settings(self) -> Settings:
        """Return what the run was asked for.

        Raises:
            UnusableRun: there is no run, or a newer maker_graph made it.
            DamagedRun: its settings cannot be read.
            OutOfReach: the database cannot be reached.
        """
        return read_settings(self.found().settings, f"The settings of {self}")

    def created(
        self, settings: Settings, task: AnyTask | LoadedTask | None = None, notes: Notes = NO_NOTES
    ) -> AbstractContextManager[Run]:
        """Make a new run here, and open it; see `created`."""
        return created(self, settings, task, notes)

    def opened(self, task: AnyTask | LoadedTask | None = None, *, accept_loss: bool = False) -> AbstractContextManager[Run]:
        """Open the run; see `opened`."""
        return opened(self, task, accept_loss=accept_loss)

    def kept(self) -> str | None:
        """Return what the task of the run gave it to keep; None if that is nothing.

        Raises:
            DamagedRun: it cannot be read.
        """
        kept = self.found().kept
        try:
            return None if kept is None else bytes(kept).decode()
        except UnicodeDecodeError as error:
            raise DamagedRun(f"What {self} keeps of its task is damaged: {error}.") from None

    def voice(self, journal: Journal) -> Voice:
        """Return where the session speaks that writes this journal."""
        assert isinstance(journal, PostgresJournal)  # noqa: S101  a run at home here has no other
        return _Spoken(self, journal)

    def session(self) -> SeenSession | None:
        """Return what the last session on the run said, and whether its process lives; None if nothing can be read."""
        row = self.connection.row(schema.SESSION, {"name": self.name})
        if row is None or row[0] is None:
            return None
        try:
            return SeenSession(Said.model_validate_json(row[0]), lives=bool(row[1]))
        except ValidationError:
            return None

    def keep_replies(self, replies: Mapping[int, list[str]]) -> None:
        """Keep the last replies to items.

        Raises:
            OutOfReach: the database cannot be reached.
        """
        texts = [json.dumps(each) for each in replies.values()]
        self.connection.rows(schema.KEEP_REPLIES, {"name": self.name, "steps": list(replies), "replies": texts})

    def last_replies(self, steps: Sequence[int]) -> dict[int, list[str]]:
        """Return the last replies to items that were left open, by their number, as far as they were kept."""
        found = dict[int, list[str]]()
        for step, text in self.connection.rows(schema.REPLIES, {"name": self.name, "steps": list(steps)}):
            with suppress(ValueError, TypeError, RecursionError):
                found[step] = [str(reply) for reply in json.loads(text)]
        return found

    def answers(self) -> LeftAnswers:
        """Return the answers that were left for the run."""
        return _AnswerRows(self)


def newest(connection: Connection, most: int) -> list[tuple[str, Stamp]]:
    """Return the runs in a database that were heard of last, at most so many, each by its name with its stamp.

    Raises:
        UnusableRun: the database has no journals.
        OutOfReach: it cannot be reached.
    """
    return [(row[0], stamp_of(row)) for row in connection.rows(schema.STAMPS, {"most": most})]


def stamp_of(row: Sequence[Any]) -> Stamp:
    """Return the stamp of a run from its row."""
    return Stamp(tuple(row[2:]), float(row[1]))


class _Spoken:
    """The voice of the session on a run in a database: it stands in the row of the run."""

    def __init__(self, home: Remote, journal: PostgresJournal) -> None:
        self._home, self._journal = home, journal
        self._replies = dict[int, list[str]]()
        self._since = 0.0

    def say(self, state: State, content: str) -> None:
        """Say how the session stands; where the database cannot be reached, nobody hears it."""
        self._keep_held()
        with suppress(MakerError):
            self._journal.say(state, content)

    def keep_replies(self, step: int, replies: list[str]) -> None:
        """Keep the last replies to an item, together with those of others."""
        now = time.monotonic()
        self._since = self._since if self._replies else now
        self._replies[step] = replies
        if len(self._replies) >= AT_ONCE or now - self._since > HELD:
            self._keep_held()

    def close(self) -> None:
        """Keep what is held back."""
        self._keep_held()

    def _keep_held(self) -> None:
        held, self._replies = self._replies, {}
        with suppress(MakerError):
            if held:
                self._home.keep_replies(held)


class _AnswerRows(LeftAnswers):
    """The answers that were left for a run in a database: one for a step, the newest."""

    def __init__(self, home: Remote) -> None:
        self._home = home

    def leave(self, step: int, reply: Reply, after: str | None = None) -> None:
        """Leave an answer, in the place of an earlier one to the same step; on return it is on the server's disk.

        Raises:
            UnusableRun: the run is gone.
            OutOfReach: the database cannot be reached.
        """
        kept = KeptAnswer.of(step, reply, after)
        if not self._rows(schema.LEAVE_ANSWER, step=step, answer=kept.model_dump_json()):
            raise UnusableRun(f"There is no run {self._home} any more.")

    def all(self) -> list[LeftAnswer]:
        """Return all answers that were left, by step."""
        rows = self._rows(schema.ANSWERS, most=MOST)
        return [left for key, content in rows if (left := LeftAnswer.read(key, content)) is not None]

    def remove(self, left: LeftAnswer) -> None:
        """Take an answer away: it is in the journal, or says nothing any more."""
        with suppress(OutOfReach):  # the next owner does it
            self._rows(schema.REMOVE_ANSWER, key=left.key)

    def refuse(self, left: LeftAnswer, why: str) -> None:
        """Keep why an answer was not taken, for who left it; a newer one is not touched."""
        with suppress(OutOfReach):
            self._rows(schema.REFUSE_ANSWER, key=left.key, answer=left.refused_for(why).model_dump_json())

    def _rows(self, statement: str, **values: object) -> list[tuple[str, str]]:
        return cast("list[tuple[str, str]]", self._home.connection.rows(statement, {"name": self._home.name, **values}))


@contextmanager
def created(
    home: Remote, settings: Settings, task: AnyTask | LoadedTask | None = None, notes: Notes = NO_NOTES
) -> Iterator[Run]:
    """Make a new run, with `notes` in its journal, and open it; `task` is its task, as in `opened`.

    It is there as a whole or not at all.

    Raises:
        UnusableRun: there is a run of this name.
        UsageError: a setting is no text: the name of a file in another encoding, for example.
        OutOfReach: the database cannot be reached.
    """
    origin = settings.origin()
    see_text(origin)
    made = task.task if isinstance(task, LoadedTask) else task
    kept = made.keep() if isinstance(made, Keeps) else None
    with closing(home.connection) as connection:
        connection.prepare()
        with connection.transaction():
            new = make_run(connection, home.name, settings.text(), origin, kept=kept, notes=notes)
        if not new:
            raise UnusableRun(f"{home} exists: resume it (maker-graph resume {home.command}), or give another --run.")
        with opened(home, task) as run:
            yield run


@contextmanager
def opened(home: Remote, task: AnyTask | LoadedTask | None = None, *, accept_loss: bool = False) -> Iterator[Run]:
    """Open a run.

    Args:
        home: the run; its connection is closed at the end.
        task: its task; None leaves it to `Run.task` and `Run.load`: to look at a run must not import what its settings name.
        accept_loss: open it although its journal is an older copy of itself.

    Raises:
        UnusableRun: there is no run, or a newer maker_graph wrote it.
        DamagedRun: its settings cannot be read.
        OlderJournal: what was committed or paid for since is missing from its journal.
        OutOfReach: the database cannot be reached.
    """
    with closing(home.connection):
        found = home.found()
        settings = read_settings(found.settings, f"The settings of {home}")
        journal = PostgresJournal(
            home.connection,
            home.name,
            found,
            settings.origin(),
            witness=witness_path(Path("/", shown(home.connection.address)), settings.id),
            accept_loss=accept_loss,
            lease=home.lease,
        )
        with closing(journal):
            yield Run(home, settings, journal, task)
