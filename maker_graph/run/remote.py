"""The home of a run in a database of journals. It is named by an address and a name, which any machine can use.

The database holds all of the run: its settings, what its task gave it to keep, its journal, what its session says, and
what people answer. There are no checkpoints: the journal keeps places (`places.py`). A machine has only two things of the
run: the high-water mark of its journal, and a folder of the run's name for reports and labels, made when it is needed.
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
"""How many last replies are written with one statement."""

HELD = 2.0
"""The longest time, in seconds, for which last replies are held back to be written together with the next ones."""


JOURNAL = "MAKER_GRAPH_JOURNAL"
"""The environment variable that gives the command line the address of the journals."""


class Remote(Home):
    """The home of a run in a database of journals.

    Attributes:
        connection: the connection to the database.
        lease: seconds after which the owner of the run counts as dead if nothing is heard of it.
    """

    kind = "journal"

    def __init__(self, name: str, connection: Connection, *, lease: float = LEASE) -> None:
        """Make the home of the run of this name; the database is not asked yet.

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
        """How a command names the run: by its name, with the address if that is not in the environment variable."""
        if os.environ.get(JOURNAL) == self.connection.address:
            return quote(self.name)
        return f"{quote(self.name)} --journal {quote(without_password(self.connection.address))}"

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def made_folder(self) -> Path:
        """Make the folder for what people look at, if it is not there, and return it.

        Raises:
            UsageError: it is the directory of another run.
            LimitReached: there is no room, or no access.
        """
        if is_there(self.folder / "settings.json"):
            raise UsageError(
                f"{self.folder} is the directory of another run, so no file of {self} can be written there: start the "
                "command in another folder."
            )
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
        """Return the row of the run in the database.

        Raises:
            UnusableRun: there is no such run.
            OutOfReach: the database cannot be reached.
        """
        try:
            self.connection.see_tables()
            return find(self.connection, self.name)
        except UnusableRun as error:
            if is_there(self.folder / "settings.json"):
                raise UnusableRun(
                    f"{error} If you mean the run in the folder {self.folder}, name that: {self.folder}."
                ) from None
            raise

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
        """Return the stamp of the run: it changes with the owner, the journal, what the session says, and people's answers.

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
            raise DamagedRun(f"What the task of {self} gave it to keep is damaged: {error}.") from None

    def voice(self, journal: Journal) -> Voice:
        """Return where a session with this journal reports how it stands."""
        assert isinstance(journal, PostgresJournal)  # noqa: S101  runs in a database have no other
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
        """Store the last replies to items, by their numbers.

        Raises:
            OutOfReach: the database cannot be reached.
        """
        texts = [json.dumps(each) for each in replies.values()]
        self.connection.rows(schema.KEEP_REPLIES, {"name": self.name, "steps": list(replies), "replies": texts})

    def last_replies(self, steps: Sequence[int]) -> dict[int, list[str]]:
        """Return the last replies to items that were left open, by their numbers, as far as they were kept."""
        found = dict[int, list[str]]()
        for step, text in self.connection.rows(schema.REPLIES, {"name": self.name, "steps": list(steps)}):
            with suppress(ValueError, TypeError, RecursionError):
                found[step] = [str(reply) for reply in json.loads(text)]
        return found

    def answers(self) -> LeftAnswers:
        """Return the answers that people left for the run."""
        return _AnswerRows(self)


def newest(connection: Connection, most: int) -> list[tuple[str, Stamp]]:
    """Return the names and stamps of the runs in a database that were heard of last, at most `most`.

    Raises:
        UnusableRun: the database has no journals.
        OutOfReach: it cannot be reached.
    """
    return [(row[0], stamp_of(row)) for row in connection.rows(schema.STAMPS, {"most": most})]


def stamp_of(row: Sequence[Any]) -> Stamp:
    """Return the stamp of a run from its row."""
    return Stamp(tuple(row[2:]), float(row[1]))


class _Spoken:
    """The voice of the session on a run in a database. It writes into the row of the run."""

    def __init__(self, home: Remote, journal: PostgresJournal) -> None:
        self._home, self._journal = home, journal
        self._replies = dict[int, list[str]]()
        self._since = 0.0

    def say(self, state: State, content: str) -> None:
        """Store how the session stands; if the database cannot be reached, it is not stored."""
        self._keep_held()
        with suppress(MakerError):
            self._journal.say(state, content)

    def keep_replies(self, step: int, replies: list[str]) -> None:
        """Keep the last replies to an item, to be written together with those to others."""
        now = time.monotonic()
        self._since = self._since if self._replies else now
        self._replies[step] = replies
        if len(self._replies) >= AT_ONCE or now - self._since > HELD:
            self._keep_held()

    def close(self) -> None:
        """Write the replies that are held back."""
        self._keep_held()

    def _keep_held(self) -> None:
        held, self._replies = self._replies, {}
        with suppress(MakerError):
            if held:
                self._home.keep_replies(held)


class _AnswerRows(LeftAnswers):
    """The answers that people left for a run in a database: for each step the newest one."""

    def __init__(self, home: Remote) -> None:
        self._home = home

    def leave(self, step: int, reply: Reply, after: str | None = None) -> None:
        """Store an answer, in the place of an earlier one to the same step; on return it is on the server's disk.

        Raises:
            UnusableRun: the run is gone.
            OutOfReach: the database cannot be reached.
        """
        kept = KeptAnswer.of(step, reply, after)
        if not self._rows(schema.LEAVE_ANSWER, step=step, answer=kept.model_dump_json()):
            raise UnusableRun(f"There is no run {self._home} any more: the answer was not kept.")

    def all(self) -> list[LeftAnswer]:
        """Return all answers that were left, by step."""
        rows = self._rows(schema.ANSWERS, most=MOST)
        return [left for key, content in rows if (left := LeftAnswer.read(key, content)) is not None]

    def remove(self, left: LeftAnswer) -> None:
        """Delete an answer that is in the journal, or that is of no use any more."""
        with suppress(OutOfReach):  # the next owner deletes it
            self._rows(schema.REMOVE_ANSWER, key=left.key)

    def refuse(self, left: LeftAnswer, why: str) -> None:
        """Store why an answer was not taken, for the person who left it; a newer answer is not touched."""
        with suppress(OutOfReach):
            self._rows(schema.REFUSE_ANSWER, key=left.key, answer=left.refused_for(why).model_dump_json())

    def _rows(self, statement: str, **values: object) -> list[tuple[str, str]]:
        return cast("list[tuple[str, str]]", self._home.connection.rows(statement, {"name": self._home.name, **values}))


@contextmanager
def created(
    home: Remote, settings: Settings, task: AnyTask | LoadedTask | None = None, notes: Notes = NO_NOTES
) -> Iterator[Run]:
    """Make a new run, with `notes` in its journal, and yield it open; `task` is its task, as in `opened`.

    The run is made as a whole or not at all.

    Raises:
        UnusableRun: there is a run of this name already.
        UsageError: a setting is not valid text, such as the name of a file in another encoding.
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
    """Open a run, and yield it.

    Args:
        home: the run; its connection is closed at the end.
        task: its task. With None, `Run.task` and `Run.load` make it when it is needed, so that a look at a run imports
            none of the code that its settings name.
        accept_loss: open the run even if its journal is an older copy of itself.

    Raises:
        UnusableRun: there is no run, or a newer maker_graph wrote it.
        DamagedRun: its settings cannot be read.
        OlderJournal: steps or costs that were stored are missing from its journal.
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
