"""Where a run goes on: at the newest checkpoint that agrees with the journal, with the later answers applied to it.

The journal is the truth, and a checkpoint is a shortcut to it. A checkpoint is used only if it agrees with the journal.
That it is the latest is not enough: LangGraph orders checkpoints by the wall clock, which may have been set back. If a
checkpoint is damaged or does not agree, the whole file of checkpoints is set aside, and the run goes on from the journal
alone.

A checkpoint that is further than the journal shows that the journal is an older copy of itself: each step is in the
journal before a checkpoint can have it.

Each owner of a run writes into a LangGraph thread of its own. So LangGraph never goes on from what an earlier owner left.

A run in a database has no checkpoints on disk: its journal keeps places (`places.py`). LangGraph's checkpoints are in
memory then, and are dropped at the end of each segment.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot

from maker_graph.core.machine import MakerOutput, Totals
from maker_graph.errors import LimitReached, MakerError, OlderJournal, UnusableRun, UsageError
from maker_graph.graph.serializer import strict_serializer
from maker_graph.journal.sqlite.database import storage_errors
from maker_graph.run.directory import Directory
from maker_graph.run.home import Run
from maker_graph.run.places import kept_place
from maker_graph.run.summary import LONG

Compiled = CompiledStateGraph[Any, Any, Any, Any]


LATER = 3
"""How many later owners are looked for. They may have left a checkpoint if the journal was replaced by an older copy."""

BREATH = 500
"""A replay lets the event loop turn after this many steps, so that signals are handled."""


class _Unusable(Exception):
    """The checkpoints are of no use; the text says why.

    Attributes:
        totals: the sums in a checkpoint that is further than the journal; None for every other reason.
    """

    def __init__(self, why: str, totals: Totals | None = None) -> None:
        super().__init__(why)
        self.totals = totals


class Recovered(NamedTuple):
    """A run that can go on.

    Attributes:
        graph: its graph, compiled with a checkpointer.
        at: where its journal ends.
        in_memory: whether the checkpoints are in memory alone.
    """

    graph: Compiled
    at: MakerOutput
    in_memory: bool

    async def forget(self, config: RunnableConfig) -> None:
        """Drop the checkpoints of a segment that has ended, if they are in memory: nobody goes on from them."""
        saver = self.graph.checkpointer
        if self.in_memory and isinstance(saver, InMemorySaver):
            await saver.adelete_thread(config["configurable"]["thread_id"])


@asynccontextmanager
async def recovered(
    run: Run,
    compiled: Callable[[BaseCheckpointSaver[Any]], Compiled],
    warn: Callable[[str], None],
    missing: Callable[[Totals], None] = lambda _: None,
) -> AsyncIterator[Recovered]:
    """Yield the graph with its checkpoints, and where the journal ends.

    Args:
        run: the run, whose journal is checked first.
        compiled: compiles the graph with a checkpointer.
        warn: told what was set aside, and when a long replay begins.
        missing: told the sums in a checkpoint that is further than the journal, if `accept_loss` allows to go on.

    Raises:
        DamagedRun: the journal was changed since it was written.
        OlderJournal: a checkpoint is further than the journal, and `accept_loss` is off.
        LimitReached: the file of checkpoints cannot be written.
    """
    run.journal.check()
    if not isinstance(run.home, Directory):
        graph = compiled(InMemorySaver(serde=strict_serializer()))
        yield Recovered(graph, await replayed(run, kept_place(run.journal, warn), warn), in_memory=True)
        return
    path = run.home.folder / "checkpoints.db"
    try:
        async with _opened(path, compiled) as graph:
            found = await _agreeing(run, graph)
            yield Recovered(graph, await replayed(run, found and _place(found), warn), in_memory=False)
            return
    except _Unusable as error:
        aside = _set_aside(path)
        warn(f"{path.name} {error}: it is set aside as {aside.name}, and the run goes on from the journal.")
        if error.totals is not None:
            missing(error.totals)
    async with _opened(path, compiled) as graph:
        yield Recovered(graph, await replayed(run, None, warn), in_memory=False)


class _Snapshots(AsyncSqliteSaver):
    """Checkpoints of the outer graph alone. A microstep always begins anew, so the search for its own is saved."""

    async def aget_tuple(self, config: RunnableConfig) -> Any:
        """Return the checkpoint that `config` names; see `AsyncSqliteSaver.aget_tuple`."""
        return None if config["configurable"].get("checkpoint_ns") else await super().aget_tuple(config)


@asynccontextmanager
async def _opened(path: Path, compiled: Callable[[AsyncSqliteSaver], Compiled]) -> AsyncIterator[Compiled]:
    _private(path)
    async with _connected(path) as connection:
        yield compiled(_Snapshots(connection, serde=strict_serializer()))


@asynccontextmanager
async def _connected(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """Yield a connection. It is closed at the end with its thread, also after a cancellation while it is being made.

    aiosqlite by itself would leave the thread behind. The thread would fail when the event loop is closed.
    """
    making = asyncio.ensure_future(aiosqlite.connect(path))
    try:
        connection = await asyncio.shield(making)
    except asyncio.CancelledError:
        await (await making).close()
        raise
    try:
        yield connection
    finally:
        await connection.close()


def _private(path: Path) -> None:
    """Make the file if it is not there, readable by its owner alone; SQLite gives the files beside it the same mode.

    Raises:
        LimitReached: it cannot be made.
    """
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise LimitReached(f"{path} cannot be written ({error.strerror}): make room, or give access, and resume.") from None


def thread_of(run: Run, epoch: int | None = None) -> RunnableConfig:
    """Return the config with the LangGraph thread of the owner with this epoch; None: of this process."""
    return {"configurable": {"thread_id": f"{run.settings.id}-{epoch or run.journal.epoch}"}}


async def _last(run: Run, graph: Compiled) -> StateSnapshot | None:
    """Return the last checkpoint of the last owner that left one; None if there is none.

    If the journal was replaced by an older copy, owners of this epoch and of later ones may have left one.
    """
    for epoch in range((run.journal.epoch or 1) + LATER, 0, -1):
        snapshot = await graph.aget_state(thread_of(run, epoch))
        if snapshot.values:
            return snapshot
    return None


async def _agreeing(run: Run, graph: Compiled) -> StateSnapshot | None:
    """Return the last checkpoint, which agrees with the journal; None if there is no checkpoint.

    Raises:
        _Unusable: it cannot be read, or does not agree.
        OlderJournal: it is further than the journal, and `accept_loss` is off.
        LimitReached: the disk is full.
    """
    try:
        with storage_errors("The file of checkpoints"):
            await _whole(graph)
            snapshot = await _last(run, graph)
        if snapshot is None:
            return None
        at = _place(snapshot)
        known, agrees = at["step"], run.journal.agrees(at) if at["step"] else at == run.machine.begin()
    except (LimitReached, UnusableRun, _Unusable):
        raise  # a full disk is not a damage, and neither is a file that another process holds
    except MakerError as error:
        if isinstance(error.__cause__, sqlite3.DatabaseError):
            raise _Unusable(f"is damaged ({error.__cause__})") from error
        raise
    except Exception as error:
        raise _Unusable(f"is damaged ({type(error).__name__})") from error
    ends = run.journal.step
    if known > ends and not run.journal.accept_loss:
        raise OlderJournal(
            f"The journal is an older copy of itself: it ends at step {ends:,}, and a checkpoint is at {known:,}. Put the "
            "newer files back, or resume with --accept-loss: missing steps are sampled again.",
            ends + 1,
        )
    if known > ends:
        raise _Unusable(f"is at step {known}, the journal at {ends}", at["totals"])
    if not agrees:
        raise _Unusable(f"does not agree with the journal at step {known}")
    return snapshot


async def _whole(graph: Compiled) -> None:
    """Have SQLite check the structure of the file: damage there would otherwise show only at the next write.

    Raises:
        _Unusable: the file is damaged.
    """
    saver = graph.checkpointer
    assert isinstance(saver, AsyncSqliteSaver)  # noqa: S101  it was compiled on one just now
    async with saver.conn.execute("PRAGMA quick_check(1)") as cursor:
        row = await cursor.fetchone()
    if row is None or row[0] != "ok":
        raise _Unusable("is damaged")


def _place(snapshot: StateSnapshot) -> MakerOutput:
    return cast("MakerOutput", {name: snapshot.values[name] for name in MakerOutput.__annotations__})


async def replayed(run: Run, start: MakerOutput | None, warn: Callable[[str], None]) -> MakerOutput:
    """Return where the journal ends, by applying the answers after `start`; None: from the first one.

    The event loop turns meanwhile, so that signals are handled.
    """
    at = run.machine.begin() if start is None else start
    if run.journal.step - at["step"] > LONG:
        warn(f"The answers of {run.journal.step - at['step']:,} steps are applied again: this takes a while.")
    for _, _, after in run.journal.replay(run.machine, start):
        at = after
        if at["step"] % BREATH == 0:
            await asyncio.sleep(0)
    return at


async def waiting(run: Run, graph: Compiled, at: MakerOutput) -> RunnableConfig:
    """Return the config of the newest checkpoint that waits for a person's answer to the step after `at`.

    Raises:
        UsageError: no checkpoint waits for one.
    """
    for epoch in range(run.journal.epoch or 1, 0, -1):
        snapshot = await graph.aget_state(thread_of(run, epoch))
        if snapshot.interrupts and _place(snapshot) == at:
            return snapshot.config
    raise none_waits()


def none_waits() -> UsageError:
    """Return the error for an answer to a run in which no step waits for one."""
    return UsageError("No step of this run waits for an answer: leave out --answer (in Python answer).")


def _set_aside(path: Path) -> Path:
    """Rename the file of checkpoints, and SQLite's files beside it; return the new name."""
    number = 1
    while (aside := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    for ending in ("-wal", "-shm", ""):
        file = path.with_name(path.name + ending)
        if file.exists():
            file.rename(aside.with_name(aside.name + ending))
    return aside
