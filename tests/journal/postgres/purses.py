"""A fleet whose runs spend from one purse, and a worker that goes on with its runs: as a program, it can be killed.

Each call is a byte in a file before it is booked: what was really called survives whoever made the call.
"""

import os
import random
import sys
import time
from contextlib import closing
from typing import Any, NamedTuple

from maker_graph.core.decision import Decision, decide
from maker_graph.core.judging import Reader, Usage, judge
from maker_graph.core.machine import Machine
from maker_graph.core.red_flags import Sample
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.errors import LimitReached, OutOfReach, TakenOver
from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.journal import PostgresJournal, find, make_run
from maker_graph.models.calls import Call
from maker_graph.models.pricing import FlatPrice
from maker_graph.run.account import Ledger, Limits

FLEET = "f"

DOLLAR = FlatPrice(1e6, 1e6)
"""A dollar a token."""

MOST = Usage(input=1, cached=0, output=0)
"""What a call may use, as far as is known before."""

STEPS = 20
"""Of each run."""

CALLS = 3
"""For each step."""

LEASE = 0.3
"""Seconds after which an owner that was not heard of is taken for dead."""


class Count:
    """A task that counts to `STEPS`."""

    def start(self) -> int:
        return 0

    def total(self) -> int:
        return STEPS

    def done(self, state: int) -> bool:
        return state == STEPS

    def prompt(self, state: int) -> str:
        return str(state)

    def parse(self, text: str) -> int:
        return int(text)

    def apply(self, state: int, answer: int) -> int:
        return state + answer


def one() -> Decision:
    """Return a decision to count on."""
    how = Reader(parse=int, key=None, check=None, red_flags={})
    return decide([judge(Sample(0, "1"), how)], Voting(AheadBy(1), max_samples=99), 1)


def reply(tokens: int = 1) -> Call:
    """Return a call that was answered, and took so many tokens."""
    return Call([], "m", None, Sample(0, "1", input_tokens=tokens))


class Stands(NamedTuple):
    """How the purse stands, and what its runs say.

    Attributes:
        calls: taken from the purse.
        cost: the same in USD.
        granted_calls: to all runs.
        granted_cost: the same in USD.
        used_calls: spent, reserved and unsettled, by all runs.
        used_cost: the same in USD.
        short: runs that used more than they were granted.
        done: runs that are done.
    """

    calls: int
    cost: float
    granted_calls: int
    granted_cost: float
    used_calls: int
    used_cost: float
    short: int
    done: int


class Fleet:
    """A fleet of runs in a database, and its purse."""

    def __init__(self, address: str) -> None:
        self.db = Connection(address)

    def make(self, runs: int, **limits: float | None) -> None:
        """Make it."""
        self.db.prepare()
        values = {"max_calls": None, "max_cost": None, **limits}
        with self.db.transaction():
            self.db.once(
                "INSERT INTO maker_graph.fleets (name, submission, max_calls, max_cost) "
                "VALUES (%(name)s, '', %(max_calls)s, %(max_cost)s) RETURNING 1",
                {"name": FLEET, **values},
            )
            for place in range(runs):
                assert make_run(self.db, f"r{place}", "{}", "run", fleet=FLEET, place=place)

    def allow(self, max_calls: int) -> None:
        """Raise the limit on calls, and open the paused runs again."""
        self.db.once("UPDATE maker_graph.fleets SET max_calls = %(limit)s RETURNING 1", {"limit": max_calls})
        self.db.once("UPDATE maker_graph.runs SET state = 'open' WHERE state = 'paused' RETURNING 1")

    def stands(self) -> Stands:
        """Return how it stands, at one moment."""
        (row,) = self.db.rows("""
            SELECT (SELECT calls FROM maker_graph.fleets), (SELECT cost FROM maker_graph.fleets),
              sum(granted_calls)::bigint, sum(granted_cost), sum(calls)::bigint, sum(cost),
              count(*) FILTER (WHERE calls > granted_calls OR cost > granted_cost + 1e-6),
              count(*) FILTER (WHERE state = 'done')
            FROM (SELECT *, spent[3] + reserved[2] + unsettled[2] AS calls, spent[1] + reserved[1] + unsettled[1] AS cost
              FROM maker_graph.runs) AS used""")
        return Stands(*row)

    def accounts(self) -> list[tuple[str, int, int, int]]:
        """Return of each run its name, and the calls that were spent, reserved and unsettled."""
        return [
            (name, int(spent), int(reserved), int(unsettled))
            for name, spent, reserved, unsettled in self.db.rows(
                "SELECT name, spent[3], reserved[2], unsettled[2] FROM maker_graph.runs"
            )
        ]

    def journal(self, name: str) -> PostgresJournal:
        """Open the journal of a run, over a connection of its own."""
        db = Connection(self.db.address)
        return PostgresJournal(db, name, find(db, name), "run")

    def open_run(self, rng: random.Random) -> str | None:
        """Return a run that nobody works on; "" if others are at work, None if none is left."""
        rows = self.db.rows(
            "SELECT name, state = 'open' OR beat < clock_timestamp() - make_interval(secs => %(lease)s) FROM maker_graph.runs "
            "WHERE state IN ('open', 'at work') ORDER BY place",
            {"lease": LEASE},
        )
        free = [name for name, is_free in rows if is_free]
        return rng.choice(free) if free else "" if rows else None


class Worker:
    """Goes on with one run: its journal and its ledger."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.journal = fleet.journal(name)
        self.journal.claim("worker")
        self.ledger = Ledger(self.journal, DOLLAR, Limits())
        self.machine = Machine(Count())
        self.at = self.machine.begin()
        for _, _, after in self.journal.replay(self.machine):
            self.at = after

    def commit(self) -> None:
        """Commit a step."""
        decision = one()
        at = self.machine.advance(self.at, decision)
        spent, held = self.ledger.take()
        self.journal.append([(decision, at)], spent, held)
        self.at = at

    def end(self, state: str) -> None:
        """Book what is left, and say how it ended."""
        self.ledger.close()
        self.journal.say(state)


def work(address: str, file: str, seed: int) -> None:
    """Go on with the runs of the fleet until none is open; each call is a byte in `file`."""
    fleet, rng, calls = Fleet(address), random.Random(seed), os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while (name := fleet.open_run(rng)) is not None:
        if not name:
            time.sleep(LEASE / 4)
            continue
        worker: Any = Worker(fleet, name)
        with closing(worker.journal):
            state = "done"
            try:
                while not worker.at["done"]:
                    for _ in range(CALLS):
                        worker.ledger.reserve(MOST)
                        os.write(calls, b".")
                        time.sleep(rng.uniform(0, 0.004))
                        worker.ledger.settle(MOST, reply())
                    worker.commit()
            except LimitReached:
                state = "paused"
            except TakenOver:
                state = "taken over"
            worker.end(state)


def work_whatever_comes(address: str, file: str, seed: int) -> None:
    """Do as `work`; wait where the database cannot be reached."""
    while True:
        try:
            return work(address, file, seed)
        except OutOfReach:
            time.sleep(LEASE)


if __name__ == "__main__":
    work_whatever_comes(sys.argv[1], sys.argv[2], int(sys.argv[3]))
