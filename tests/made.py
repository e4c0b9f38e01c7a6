"""Runs as the tests make them: by the name of a task that ships, with what is not said left to its defaults."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maker_graph.core.decision import Decision, given, unasked
from maker_graph.core.voting import Voting
from maker_graph.journal.sqlite.database import Fsync
from maker_graph.models.names import info_of
from maker_graph.run import directory as directories
from maker_graph.run.home import Run
from maker_graph.run.settings import Settings
from maker_graph.run.settings import new_settings as settings_for
from maker_graph.run.votings import LadderSettings
from maker_graph.tasks.loading import load_task

OPEN: Any = object()
"""Stands for an item that is open: None is an answer."""


def decisions(answers: Iterable[Any], by: str = "base") -> list[Decision]:
    """Return how items ended, with these answers."""
    return [unasked("base", "no") if answer is OPEN else given(answer, by) for answer in answers]


def new_settings(
    task: str, options: dict[str, Any], model: str, *, ladder: LadderSettings | None = None, **voting: Any
) -> Settings:
    """Return the settings of a run; `voting` goes to `Voting`."""
    return settings_for(load_task(task, options), model, Voting(**{"seed": info_of(model).seed, **voting}), ladder)


@contextmanager
def created(
    directory: Path, settings: Settings, *, fsync: Fsync = "full", notes: Mapping[str, str] | None = None
) -> Iterator[Run]:
    """Make a run of `settings`, and open it."""
    with directories.created(directory, settings, fsync=fsync, notes=notes) as run:
        yield run
