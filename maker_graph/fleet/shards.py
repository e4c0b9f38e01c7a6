"""Finding the runs of a fleet in a database, to seal them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

from maker_graph.fleet.sealing import Shard
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.fleets import Fleet
from maker_graph.journal.protocol import Journal
from maker_graph.run.remote import Remote
from maker_graph.run.settings import read_settings


def shards_in(address: str, fleet: str) -> list[Shard]:
    """Return the runs of a fleet in their order, for `seal`.

    Raises:
        UsageError: no fleet can have this name.
        UnusableRun: there is no such fleet.
        DamagedRun: the settings of a run cannot be read.
        OutOfReach: the database cannot be reached.
    """
    with closing(Connection(address)) as connection:
        connection.see_tables()
        there = Fleet(connection, fleet)
        there.found()
        runs = there.settings()
    read = [(name, read_settings(text, f"The row of the run {name}")) for name, text in runs]
    return [Shard(name, settings, partial(_opened, address, name)) for name, settings in read]


@contextmanager
def _opened(address: str, name: str) -> Iterator[Journal]:
    with Remote(name, Connection(address)).opened() as run:
        yield run.journal
