"""Sealing a fleet that was cut from one task: its shards become one file of results and one report.

The shards are read as one run, whose journal joins theirs (`journal/joined.py`). So the figures, the results, the
certificate and the report come from the same code as those of a single run. Open items stay open, and are counted.
Later answers of people are included.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, cast

from maker_graph.core.copies import NOTE as COPIES
from maker_graph.core.copies import CopiesSeen
from maker_graph.core.decision import Decision
from maker_graph.core.guarding import total_of
from maker_graph.core.items import Items
from maker_graph.errors import UnusableRun
from maker_graph.files import OwnFiles
from maker_graph.journal.joined import Join, JoinedJournal, Opened
from maker_graph.journal.protocol import Journal
from maker_graph.run import home as homes
from maker_graph.run.directory import Directory
from maker_graph.run.options import RunOptions, kept_options
from maker_graph.run.own_files import own_files
from maker_graph.run.preflight import see_results
from maker_graph.run.provenance import Provenance
from maker_graph.run.results import write_out
from maker_graph.run.settings import Settings, unchanged
from maker_graph.run.summary import Summary
from maker_graph.run.uses import NOTE as USES
from maker_graph.runs import Run
from maker_graph.tasks.inputs import see_declared, see_files
from maker_graph.tasks.loading import LoadedTask, load_task, of_table
from maker_graph.tasks.options import FILE
from maker_graph.tasks.slices import Slice
from maker_graph.tasks.slicing import number_of

LISTED = 5
"""The most shards that an error names."""


class Shard(NamedTuple):
    """A run of a fleet, to be sealed with the others.

    Attributes:
        name: the name of the run.
        settings: what the run was asked for.
        opened: opens the journal of the run, and closes it at the end of the block.
    """

    name: str
    settings: Settings
    opened: Opened


@dataclass(frozen=True, slots=True)
class Sealed:
    """The result of sealing a fleet.

    Attributes:
        summary: the figures of the whole, as those of a single run.
        open: how many items are open.
        report: the files of the report, the page first; empty if no report was asked for.
    """

    summary: Summary
    open: int
    report: Sequence[Path]


class Whole:
    """All shards of a task, read as one run.

    Attributes:
        task: the whole task.
        journal: the journals of the shards, joined.
        run: the whole as a run, to look at.
        shards: the shards in the order of their items.
    """

    def __init__(self, shards: Sequence[Shard], directory: Path, task: LoadedTask | None = None) -> None:
        """Join the shards, which need not be finished.

        Args:
            shards: all shards, in any order.
            directory: the directory for the report of the whole. It need not exist. Its name is also the name of the
                whole.
            task: the whole task; None makes it from the name and the options in the settings of the shards. This
                imports and runs code if it is not a task that ships.

        Raises:
            UnusableRun: the shards are not those of one task, some are missing, or the task has changed since it was
                cut.
            DamagedRun: the journal of a shard was changed since it was written.
        """
        self.shards = _in_order(shards)
        first = self.shards[0].settings
        _see_files(self.shards)  # before the task is made from them
        loaded = load_task(first.task, first.options) if task is None else task
        _see_same_task(self.shards, loaded)
        self.journal = JoinedJournal([(each.name, each.opened) for each in self.shards], _JOINS)
        settings = first.model_copy(
            update={"version": 4, "id": _id(self.shards), "inputs": loaded.inputs, "slice": None},
        )
        self.task = loaded.task
        journal = cast("Journal", self.journal)  # it is only read, except for its notes, which it can write
        self._opened = homes.Run(Directory(directory), settings, journal, loaded)
        self.run = Run(self._opened, ExitStack())

    def see_finished(self) -> None:
        """Make sure that all shards are finished: each item is decided or open.

        Raises:
            UnusableRun: some shards are not finished; the text says which, and what to do.
        """
        of_row = (total_of(self.task) or 0) // max(1, number_of(self.task))
        steps = self.journal.steps
        left = [
            f"{each.name} ({steps[each.name]:,} of {most:,} items)"
            for each in self.shards
            if steps[each.name] != (most := _slice(each).rows * of_row)
        ]
        if left:
            raise UnusableRun(
                f"{len(left):,} of {len(self.shards):,} shards are not finished: {_listed(left)}. Let workers go on with the "
                "fleet (maker-graph work), and seal it again. maker-graph status says what stops a shard."
            )

    def see_files(self, options: RunOptions, *, force: bool = False) -> None:
        """Make sure that the results can be written without the loss of a file of the user's.

        Raises:
            UsageError: they cannot, or the task has no results to write.
        """
        see_results(self.run.settings, options, self.task, self._own(), force=force)

    def write_results(self, options: RunOptions) -> int:
        """Write the results, and how each item ended, into the files of the options. Return how many items are open.

        Raises:
            UsageError: one of the files is the user's own.
            LimitReached: there is no room on the disk, or no access.
        """
        if not isinstance(self.task, Items) or (options.out is None and options.provenance is None):
            return self.run.open_count()
        self.task.refused = self.run.refused
        path, settings = options.provenance, {each.name: each.settings for each in self.shards}
        trail = None if path is None else _Provenance(path, self.run.settings, options, self.journal, settings)
        return write_out(self.task, options.out, self.journal.decisions(), self._own(), trail)

    def _own(self) -> OwnFiles:
        return own_files(self._opened.journal)


def seal(
    shards: Sequence[Shard],
    directory: Path,
    task: LoadedTask | None = None,
    *,
    out: Path | None = None,
    provenance: Path | None = None,
    report: bool = True,
    force: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Sealed:
    """Check and replay all shards as one run, write its results and its report, and return its figures.

    The file of results is the one that a single run with the same votes would write. Each file is written whole or not
    at all. Sealing again changes nothing, unless somebody has answered open items since.

    Args:
        shards: all shards, in any order.
        directory: the directory for the report. Its name is also the name of the whole.
        task: the whole task; see `Whole`.
        out: the file for the results.
        provenance: the file that says of each item how it ended, and in which shard.
        report: whether to write report.html and its pictures, which needs the extra `plan`.
        force: whether files of the user's that are already there may be replaced.
        progress: called with the step every thousand steps, while the shards are replayed.

    Raises:
        UnusableRun: a shard is not finished, the shards are not those of one task, or the task has changed since it was
            cut.
        UsageError: a file cannot be written, or is the user's own.
        DamagedRun: the journal of a shard was changed since it was written. Then nothing is written.
        LimitReached: there is no room on the disk, or no access.
    """
    whole = Whole(shards, directory, task)
    whole.see_finished()
    files = {"out": out and out.absolute(), "provenance": provenance and provenance.absolute()}
    options = kept_options(cast("Journal", whole.journal)).model_copy(update=files)
    whole.see_files(options, force=force)
    summary = whole.run.verify(progress)
    still_open = whole.write_results(options)
    pages: Sequence[Path] = ()
    if report:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        pages = whole.run.report(force=force)
    return Sealed(summary, still_open, pages)


class _Provenance(Provenance):
    """Writes how each item ended, with the shard in which it was decided and its step there."""

    def __init__(
        self, path: Path, whole: Settings, options: RunOptions, journal: JoinedJournal, settings: Mapping[str, Settings]
    ) -> None:
        super().__init__(path, whole, options)
        self._journal, self._of_shards = journal, settings

    def told(self, number: int, decision: Decision) -> dict[str, Any]:
        """Return the content of the line of an item."""
        name, step = self._journal.shard_of(number)
        return {**super().told(number, decision), "run": self._of_shards[name].id, "shard": name, "step": step}


def _in_order(shards: Sequence[Shard]) -> list[Shard]:
    """Return the shards in the order of their items.

    Raises:
        UnusableRun: the runs are not shards of one task, or some shards are missing.
    """
    if not shards:
        raise UnusableRun("There are no shards to seal: name a fleet that was submitted with --shards.")
    if strange := [each.name for each in shards if each.settings.slice is None]:
        raise UnusableRun(
            f"{_listed(strange)}: not cut from one task with --shards, so there is nothing to put together. Look at each run "
            "by its name: maker-graph status RUN."
        )
    found = sorted(shards, key=lambda each: _slice(each).first)
    wanted = _alike(found[0].settings)
    if other := [each.name for each in found if _alike(each.settings) != wanted]:
        raise UnusableRun(
            f"{_listed(other)}: the settings differ from those of {found[0].name}. Seal the shards of one fleet only."
        )
    first = 0
    for each in found:
        before = _slice(each).first
        if before > first:
            raise UnusableRun(
                f"No shard has the items {first + 1:,} to {before:,}, which come before {each.name}. Seal all shards of the "
                "fleet."
            )
        if before < first:
            raise UnusableRun(
                f"Another shard also has item {before + 1:,}, the first of {each.name}. Seal each shard of the fleet once."
            )
        first += _slice(each).rows
    return found


def _slice(shard: Shard) -> Slice:
    assert shard.settings.slice is not None  # noqa: S101  `_in_order` has made sure of it
    return shard.settings.slice


def _alike(settings: Settings) -> dict[str, Any]:
    """Return the settings that are the same in all shards of a task."""
    inputs = {name: digest for name, digest in settings.inputs.items() if name != FILE or _table_of(settings) is None}
    return {**settings.model_dump(exclude={"id", "slice", "prompt", "inputs"}), "inputs": inputs}


def _table_of(settings: Settings) -> Slice | None:
    """Return the slice of a shard if only these rows of the table are its input, and not the whole table; else None."""
    return of_table(settings.task, settings.slice)


def _see_files(shards: Sequence[Shard]) -> None:
    """Make sure that the files of the task have not changed since it was cut.

    Raises:
        UnusableRun: one has changed; the text says which.
    """
    first = shards[0].settings
    see_files(first.task, _alike(first)["inputs"], first.options)
    for _, settings, _ in shards if _table_of(first) is not None else ():
        see_files(settings.task, {FILE: settings.inputs[FILE]}, settings.options, settings.slice)


def _see_same_task(shards: Sequence[Shard], whole: LoadedTask) -> None:
    """Make sure that `whole` is the task that was cut.

    Raises:
        UnusableRun: it is not; the text says what differs.
    """
    first = shards[0].settings
    if whole.slice is not None or (whole.name, whole.options) != (first.task, first.options):
        raise UnusableRun(
            f"The shards were cut from {first.task} with other options: give the whole task with the same options."
        )
    see_declared(first.task, first.inputs, first.options, whole.task, _table_of(first))
    rows, there = sum(_slice(each).rows for each in shards), number_of(whole.task)
    if rows != there:
        raise UnusableRun(
            f"The task has {there:,} items, and the shards have {rows:,}: shards are missing, or the input of the task was "
            "changed. Seal all shards of the fleet, with the input that was submitted."
        )
    unchanged(first, whole.task)


def _listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more:,} more" if more > 0 else "")


def _id(shards: Sequence[Shard]) -> str:
    """Return an id for the whole. It is made from the ids of the shards, so it is the same each time."""
    return sha256(json.dumps([each.settings.id for each in shards]).encode()).hexdigest()[:32]


def _copies(found: Sequence[tuple[int, str]]) -> str:
    seen = [CopiesSeen.of(text) for _, text in found]
    varied = [each.varied for each in seen if each.varied is not None]
    sums = (sum(each.proven for each in seen), sum(each.same for each in seen), sum(each.compared for each in seen))
    return CopiesSeen(*sums, all(varied) if varied else None).note()


def _refused(found: Sequence[tuple[int, str]]) -> str:
    return json.dumps({str(before + int(number)): why for before, text in found for number, why in json.loads(text).items()})


def _of_first(found: Sequence[tuple[int, str]]) -> str:
    return found[0][1]


_JOINS: Mapping[str, Join] = {COPIES: _copies, "refused": _refused, "options": _of_first, USES: _of_first}
"""Name of a note -> the function that makes the note of the whole. Plans, paces and stuck steps are not joined."""
