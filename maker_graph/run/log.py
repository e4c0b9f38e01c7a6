"""The journal of a run as the log of a graph that you build yourself.

It is the same journal as that of `maker-graph run`. It says what is committed, it refuses an owner that was taken over,
and its hashes show damage. LangGraph's checkpoints may be anywhere, and may be older than the journal.

Its first hash is computed from what such a run must not change: its id, the task's name, start state and first prompt,
and what the caller gives as `settings`. The model and the rule are in the graph, which the log does not see.
"""

import asyncio
import json
import os
import socket
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from maker_graph.core.canonical import JSON, plain, sorted_json
from maker_graph.core.decision import Decision
from maker_graph.core.guarding import AnyTask, see_task
from maker_graph.core.machine import Climb, Committed, Machine, MakerOutput
from maker_graph.errors import DamagedRun, UnusableRun, UsageError
from maker_graph.files import write_whole
from maker_graph.journal.protocol import Journal
from maker_graph.journal.sqlite.creation import create_journal
from maker_graph.journal.sqlite.database import disk_errors
from maker_graph.journal.sqlite.journal import SqliteJournal
from maker_graph.journal.watermark import witness_path
from maker_graph.run.beside import KeptBeside
from maker_graph.run.birth import cradle
from maker_graph.run.home import see_name, see_text
from maker_graph.run.places import Places, kept_place
from maker_graph.run.settings import LOG_FORM, prompt_digest


class JournalLog(KeptBeside):
    """The log of a graph, in a journal: `create_maker(task, log=log, ...)`.

    To open it makes a new run of this name, or goes on with the one that exists. This process becomes the owner of the
    run, and an earlier owner is refused at its next commit. Use a log for one graph at a time, as a context manager, or
    `close` it.

    >>> from tempfile import mkdtemp
    >>> from maker_graph import JournalLog, create_maker
    >>> from maker_graph.tasks import Hanoi
    >>> folder = mkdtemp()
    >>> for _ in range(2):
    ...     with JournalLog(Hanoi(3), "tower", folder) as log:
    ...         app = create_maker(Hanoi(3), model="sim:perfect", log=log, steps_per_segment=4).compile()
    ...         print(log.position()["step"], app.invoke({})["step"])
    0 4
    4 7

    Attributes:
        run_id: the id of the run. It is the same in all sessions.
    """

    def __init__(
        self,
        task: AnyTask,
        name: str,
        journal: str | Path,
        *,
        settings: Mapping[str, JSON] | None = None,
        accept_loss: bool = False,
    ) -> None:
        """Open the log of this name.

        Args:
            task: the task of the graph.
            name: the name of the run. In one journal each name stands for one run.
            journal: the address of a Postgres database, `postgresql://...`, or a folder of this machine.
            settings: what else must be the same in all sessions of the run: its model and its k, for example.
            accept_loss: whether to open it although it is an older copy of itself. Missing steps are sampled again.

        Raises:
            UsageError: the name, the address or a setting is wrong, or the extra `fleet` is missing.
            UnusableRun: the run of this name is of another task or has other settings, or another process holds it.
            DamagedRun: the journal was changed since it was written.
            OlderJournal: the journal is an older copy: what was committed or paid for since is missing from it.
            OutOfReach: the database cannot be reached.
        """
        see_task(task)
        see_name(name)
        machine = Machine(task)
        asked = _asked(task, machine.begin(), settings or {})
        opened = _in_postgres if isinstance(journal, str) and "://" in journal else _in_folder
        self._journal, self.run_id = opened(str(journal), name, asked, accept_loss)
        self._lock = threading.Lock()
        try:
            self._journal.claim(f"{socket.gethostname()}-{os.getpid()}")
            self._journal.check()
            self._at = _replayed(self._journal, machine)
            self._places = Places(self._at["step"])
            self._ahead, self._climbs = super().decided_ahead(), super().climbs()
        except BaseException:
            self._journal.close()
            raise

    @property
    def journal(self) -> Journal:
        """The journal itself."""
        return self._journal

    def position(self) -> MakerOutput:
        """Return the state after the last step of the log. A graph goes on from there, not from its checkpoint."""
        return self._at

    def append(self, steps: Sequence[Committed]) -> None:
        """Commit steps. On return they are on the disk.

        Raises:
            TakenOver: another process is the owner by now.
            StaleStep: the steps do not follow the last one, because two graphs use this log at once.
            OutOfReach: the database cannot be reached.
        """
        with self._lock:
            self._journal.append([(step.decision, step.after) for step in steps], notes=self._places.due(steps[-1].after))
            self._at = steps[-1].after

    async def aappend(self, steps: Sequence[Committed]) -> None:
        """Do what `append` does, in a thread. If this is cancelled, it waits for the end of the commit first."""
        work = asyncio.ensure_future(asyncio.to_thread(self.append, steps))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            if not work.cancelled() and (error := work.exception()) is not None:
                raise error from None
            raise

    def decided_ahead(self) -> dict[int, Decision]:
        """Return the items that were decided before their turn, without a look into the journal."""
        return {step: decision for step, decision in self._ahead.items() if step > self._at["step"]}

    def keep_ahead(self, decided: Mapping[int, Decision]) -> None:
        """Keep items that were decided before their turn."""
        with self._lock:
            super().keep_ahead(decided)
            self._ahead = dict(decided)

    def climbs(self) -> dict[int, Climb]:
        """Return how far each undecided step has come, without a look into the journal."""
        return {step: climb for step, climb in self._climbs.items() if step > self._at["step"]}

    def keep_climbs(self, climbs: Mapping[int, Climb]) -> None:
        """Keep how far each undecided step has come."""
        with self._lock:
            super().keep_climbs(climbs)
            self._climbs = dict(climbs)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _replayed(journal: Journal, machine: Machine) -> MakerOutput:
    """Return the state after the last step of a journal, from the place that it keeps and the later answers."""
    start = kept_place(journal, lambda text: warnings.warn(text, stacklevel=4))
    at = machine.begin() if start is None else start
    for _, _, after in journal.replay(machine, start):
        at = after
    return at


def _asked(task: AnyTask, start: MakerOutput, settings: Mapping[str, JSON]) -> dict[str, Any]:
    """Return what the run must not change, by name.

    Raises:
        UsageError: a setting is not a plain JSON.
    """
    try:
        more = plain(dict(settings), own=True)
    except ValueError as error:
        raise UsageError(f"The settings of a log are kept as JSON, and these are {error}.") from None
    return {"task": type(task).__name__, "start": start["digest"], "prompt": prompt_digest(task), "settings": more}


def _written(name: str, asked: Mapping[str, Any]) -> str:
    return sorted_json({"log": LOG_FORM, "id": uuid4().hex, "name": name, **asked})


def _read(text: str, asked: Mapping[str, Any], where: str) -> tuple[str, str]:
    """Return the origin and the id of an existing run, from its settings in `text`.

    Raises:
        UnusableRun: the run is of another task, or has other settings.
        DamagedRun: the settings cannot be read.
    """
    try:
        found = dict(json.loads(text))
        form, run_id = found.get("log"), str(found["id"])
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedRun(f"The settings of {where} are damaged ({error}): put back a copy, or give another name.") from None
    if form is None:
        raise UnusableRun(f"{where} is a run of maker-graph and not the log of a graph: give another name.")
    if form != LOG_FORM:
        raise UnusableRun(f"{where} was written by a newer maker_graph (form {form}): install that version to go on.")
    for what, said in asked.items():
        if found.get(what) != said:
            words = _DIFFERS[what].format(found.get(what), said)
            raise UnusableRun(f"{where} {words}: put it back as it was, or give another name.")
    return sorted_json(found), run_id


_DIFFERS = {
    "task": "is the log of a task {}, and not of {}",
    "start": "was begun by a task with another start state",
    "prompt": "was begun by a task with another first prompt",
    "settings": "was begun with the settings {}, and not with {}",
}


def _in_folder(folder: str, name: str, asked: Mapping[str, Any], accept_loss: bool) -> tuple[Journal, str]:
    directory = Path(folder) / name
    path = directory / "settings.json"
    if not path.exists():
        _make_in_folder(directory, _written(name, asked))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedRun(f"{path} cannot be read ({error}): put back a copy, or give another name.") from None
    origin, run_id = _read(text, asked, str(directory))
    witness = witness_path(directory, run_id)
    return SqliteJournal(directory / "journal.db", origin, witness=witness, accept_loss=accept_loss, threads=True), run_id


def _make_in_folder(directory: Path, origin: str) -> None:
    """Make the directory of a run, whole or not at all. If another process makes it first, that one stays."""
    with disk_errors(str(directory)):
        directory.parent.mkdir(parents=True, exist_ok=True)
    with cradle(directory) as draft, disk_errors(str(directory)):
        create_journal(draft / "journal.db", origin)
        write_whole(draft / "settings.json", origin, private=True)
        try:
            draft.rename(directory)
        except OSError:
            if not (directory / "settings.json").exists():
                raise


def _in_postgres(address: str, name: str, asked: Mapping[str, Any], accept_loss: bool) -> tuple[Journal, str]:
    from maker_graph.journal.postgres.connection import Connection, shown  # noqa: PLC0415  an extra
    from maker_graph.journal.postgres.journal import PostgresJournal, find, make_run  # noqa: PLC0415

    connection = Connection(address)
    try:
        connection.prepare()
        written = _written(name, asked)
        see_text(written)
        with connection.transaction():
            make_run(connection, name, written, written)
        found = find(connection, name)
        where = f"{name} at {shown(address)}"
        origin, run_id = _read(found.settings, asked, where)
        witness = witness_path(Path("/", shown(address)), run_id)
        return PostgresJournal(connection, name, found, origin, witness=witness, accept_loss=accept_loss), run_id
    except BaseException:
        connection.close()
        raise
