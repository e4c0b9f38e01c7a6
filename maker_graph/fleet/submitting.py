"""Submitting a fleet: its runs are made in the journal, all of them or none.

A fleet that is submitted again with the same settings stays as it is. Only its limits may differ. If they do, they are
changed, and the runs that had stopped at a limit can go on.
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
"""The most runs of a fleet. Their names end with five digits."""

REOPENED = ("limit", "failed")
"""The states of runs that workers may take again after their fleet was submitted with other limits."""


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be made.

    Attributes:
        settings: what the run is asked for.
        options: the options of its sessions.
        kept: the text that its task gives it to keep; None if it gives none.
        notes: the notes with which it begins, other than its options.
        total: the number of steps of its task; None if the task does not know it.
    """

    settings: Settings
    options: RunOptions
    kept: str | None
    notes: Notes
    total: int | None

    @classmethod
    def of(cls, settings: Settings, options: RunOptions, loaded: LoadedTask, notes: Notes) -> Self:
        """Return a run of the task `loaded`."""
        task = loaded.task
        return cls(settings, options, task.keep() if isinstance(task, Keeps) else None, notes, total_of(task))


class Submission(BaseModel):
    """What a fleet was asked for. It is kept with the fleet, to be compared when the fleet is submitted again.

    Attributes:
        form: the form in which it is stored.
        runs: the number of runs.
        digest: a digest of what all runs are asked for.
        whole: for a task that was cut, the settings of a single run over all of it. Errors name those of them that
            differ.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    form: Literal[1] = 1
    runs: int
    digest: str
    whole: dict[str, Any] | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the submission that is written in `text`.

        Raises:
            UnusableRun: a newer maker_graph wrote it.
            DamagedRun: it is not a submission.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            wrong = error.errors()[0]
            if wrong["loc"] == ("form",):
                raise UnusableRun("This fleet was submitted by a newer maker_graph: install that version.") from None
            raise DamagedRun(f"The row of the fleet is damaged: {wrong['msg']}. Submit it under another --fleet.") from None


class Submitted(NamedTuple):
    """What a submission has done.

    Attributes:
        made: whether the fleet was made; False if it was there already.
        runs: the number of its runs.
        limited: whether its limits were changed.
        reopened: how many runs had stopped, and can go on because of that.
    """

    made: bool
    runs: int
    limited: bool = False
    reopened: int = 0


def shards_of(whole: Settings, options: RunOptions, loaded: LoadedTask, shards: int, notes: Notes) -> Iterator[NewRun]:
    """Cut a task into `shards` slices, or fewer if it has fewer items, and yield a run for each, in order.

    Args:
        whole: the settings of a single run over the whole task.
        options: the options of the sessions of each run.
        loaded: the task.
        shards: the number of slices.
        notes: the notes with which each run begins.

    Raises:
        UsageError: the steps of the task depend on each other, or its table was changed meanwhile.
    """
    for part in cut_task(loaded, shards):
        yield NewRun.of(settings_of_slice(whole, part), options, part, notes)


def submit(address: str, fleet: str, runs: Sequence[NewRun], limits: Limits, *, whole: Settings | None = None) -> Submitted:
    """Make a fleet and its runs, `FLEET-00000` and so on, in one transaction.

    If the fleet is there already, it must have been asked for the same. It then gets the new limits. If these differ
    from the old ones, workers may again take the runs that have stopped at a limit, or have failed.

    Args:
        address: the address of the database.
        fleet: the name of the fleet.
        runs: the runs, in order.
        limits: what all runs may do together.
        whole: for a task that was cut, the settings of a single run over all of it.

    Raises:
        UsageError: the name, a limit or the number of runs is not allowed.
        UnusableRun: a fleet of this name was asked for something else, or there is a run with one of the names already.
        DamagedRun: the row of the fleet is damaged.
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
    """Make one run.

    Raises:
        UnusableRun: there is a run of this name already.
    """
    name, settings = f"{fleet}-{place:05}", run.settings
    notes = {**run.options.note(), **run.notes}
    more: dict[str, Any] = {"kept": run.kept, "notes": notes, "fleet": fleet, "place": place, "total": run.total}
    if not make_run(connection, name, settings.text(), settings.origin(), **more):
        raise UnusableRun(f"There is a run {name} already, which does not belong to this fleet: give another --fleet.")


def _digest(runs: Iterable[NewRun]) -> str:
    """Return a digest of what the runs are asked for. Their ids are left out, because they are new each time."""
    digest = hashlib.sha256()
    for run in runs:
        asked = [_without_id(json.loads(run.settings.text())), run.options.model_dump(mode="json"), run.kept]
        digest.update(sorted_json(asked).encode() + b"\n")
    return digest.hexdigest()


def _without_id(settings: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (settings or {}).items() if name != "id"}


def _see_same(fleet: str, before: Submission, now: Submission) -> None:
    """Make sure that a fleet is asked for the same as before.

    Raises:
        UnusableRun: it is not; the text says what differs, as far as that is known.
    """
    if before.digest == now.digest:
        return
    was, is_now = _without_id(before.whole), _without_id(now.whole)
    others = [name for name in sorted(was.keys() | is_now.keys()) if was.get(name) != is_now.get(name)]
    what = f" ({', '.join(others)})" if others else f" ({before.runs:,} runs, not {now.runs:,})" * (before.runs != now.runs)
    raise UnusableRun(f"The fleet {fleet} was submitted with other settings{what}: give the same again, or another --fleet.")
