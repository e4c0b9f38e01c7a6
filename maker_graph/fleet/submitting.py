"""A fleet is submitted: its runs are made in the journal, all of them or none.

Submitting the same once more changes nothing. Only what its runs may do together may be another, and what had stopped for want
of it goes on.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from maker_graph.core.canonical import sorted_json
from maker_graph.core.guarding import total_of
from maker_graph.core.task import Keeps
from maker_graph.errors import DamagedRun, UnusableRun, UsageError
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.fleets import Fleet, Limits, see_name
from maker_graph.journal.postgres.journal import make_run
from maker_graph.journal.protocol import Notes
from maker_graph.run.options import RunOptions
from maker_graph.run.settings import Settings, settings_of_slice
from maker_graph.tasks.loading import LoadedTask, cut_task

MOST = 100_000
"""Runs of a fleet at most: their names have five digits."""

REOPENED = ("limit", "failed")
"""States of runs that are opened to workers again when their fleet is submitted with other limits."""


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that is to be made.

    Attributes:
        settings: what it is asked for.
        options: that a session of it takes.
        kept: what its task gives it to keep.
        notes: its other first notes.
        total: steps of its task, if that is known.
    """

    settings: Settings
    options: RunOptions
    kept: str | None
    notes: Notes
    total: int | None

    @classmethod
    def of(cls, settings: Settings, options: RunOptions, loaded: LoadedTask, notes: Notes) -> Self:
        """Return a run of this task."""
        task = loaded.task
        return cls(settings, options, task.keep() if isinstance(task, Keeps) else None, notes, total_of(task))


class Submission(BaseModel):
    """What a fleet was asked for, as it is kept with it.

    Attributes:
        form: of this text.
        runs: how many there are.
        digest: of what all of them are asked for.
        whole: of a task that was cut, what a single run of all of it would be asked for, by which one can tell what is another.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Literal[1] = 1
    runs: int
    digest: str
    whole: dict[str, Any] | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the submission that was written so.

        Raises:
            UnusableRun: a newer maker_graph wrote it.
            DamagedRun: it cannot be read.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            wrong = error.errors()[0]
            if wrong["loc"] == ("form",):
                raise UnusableRun("This fleet was submitted by a newer maker_graph: install that version.") from None
            raise DamagedRun(f"What the fleet was asked for cannot be read ({wrong['msg']}).") from None


class Submitted(NamedTuple):
    """What became of a submission.

    Attributes:
        made: whether the fleet was not there before.
        runs: how many it has.
        limited: whether it has other limits than before.
        reopened: runs that go on because of that.
    """

    made: bool
    runs: int
    limited: bool = False
    reopened: int = 0


def shards_of(whole: Settings, options: RunOptions, loaded: LoadedTask, shards: int, notes: Notes) -> Iterator[NewRun]:
    """Yield a run for each of so many slices of a task, in order; fewer if it has fewer items.

    Args:
        whole: what a single run of all of it would be asked for.
        options: that a session of each run takes.
        loaded: the task.
        shards: how many slices.
        notes: with which each run begins.

    Raises:
        UsageError: the steps of the task depend on each other, or its table was changed meanwhile.
    """
    for part in cut_task(loaded, shards):
        yield NewRun.of(settings_of_slice(whole, part), options, part, notes)


def submit(address: str, fleet: str, runs: Sequence[NewRun], limits: Limits, *, whole: Settings | None = None) -> Submitted:
    """Make a fleet and its runs, `FLEET-00000` and so on; if it is there already, see that it is this one.

    All of it is one transaction. A fleet that is there gets the limits that are given now, and runs that stopped at a limit, or
    failed, are opened again if these are others.

    Args:
        address: of the database.
        fleet: its name.
        runs: in order.
        limits: what they may do together.
        whole: of a task that was cut, what a single run of all of it would be asked for.

    Raises:
        UsageError: the name or a limit is none, or there are too many runs, or none.
        UnusableRun: a fleet of this name was asked for something else.
        OutOfReach: the database cannot be reached.
    """
    see_name(fleet)
    limits.see()
    if not 0 < len(runs) <= MOST:
        raise UsageError(f"A fleet has 1 to {MOST:,} runs, not {len(runs):,}.")
    told = None if whole is None else json.loads(whole.text())
    asked = Submission(runs=len(runs), digest=_digest(runs), whole=told)
    with closing(Connection(address)) as connection:
        connection.prepare()
        there = Fleet(connection, fleet)
        with connection.transaction():
            if there.make(asked.model_dump_json(), limits):
                for place, run in enumerate(runs):
                    _make(connection, fleet, place, run)
                return Submitted(made=True, runs=len(runs))
        found = there.found()
        _see_same(fleet, Submission.read(found.submission), asked)
        if found.limits == limits:
            return Submitted(made=False, runs=len(runs))
        with connection.transaction():
            there.limit(limits)
            return Submitted(made=False, runs=len(runs), limited=True, reopened=there.reopen(REOPENED))


def _make(connection: Connection, fleet: str, place: int, run: NewRun) -> None:
    """Make a run.

    Raises:
        UnusableRun: there is a run of this name that is none of the fleet.
    """
    name, settings = f"{fleet}-{place:05}", run.settings
    notes = {**run.options.note(), **run.notes}
    more: dict[str, Any] = {"kept": run.kept, "notes": notes, "fleet": fleet, "place": place, "total": run.total}
    if not make_run(connection, name, settings.text(), settings.origin(), **more):
        raise UnusableRun(f"There is a run {name} already, which is none of a fleet: give another --fleet.")


def _digest(runs: Iterable[NewRun]) -> str:
    """Return a digest of what runs are asked for; their ids are others each time, and say nothing."""
    digest = hashlib.sha256()
    for run in runs:
        asked = [_told(json.loads(run.settings.text())), run.options.model_dump(mode="json"), run.kept]
        digest.update(sorted_json(asked).encode() + b"\n")
    return digest.hexdigest()


def _told(settings: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (settings or {}).items() if name != "id"}


def _see_same(fleet: str, before: Submission, now: Submission) -> None:
    """See that a fleet is asked for what it was asked for before.

    Raises:
        UnusableRun: it is not; the text says what is another, as far as one can tell.
    """
    if before.digest == now.digest:
        return
    was, is_now = _told(before.whole), _told(now.whole)
    others = [name for name in sorted(was.keys() | is_now.keys()) if was.get(name) != is_now.get(name)]
    what = f" ({', '.join(others)})" if others else f" ({before.runs:,} runs, not {now.runs:,})" * (before.runs != now.runs)
    raise UnusableRun(f"The fleet {fleet} was submitted with other settings{what}: give them again, or another --fleet.")
