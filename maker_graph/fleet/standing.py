"""How a fleet stands, for those who watch it."""

from contextlib import closing
from typing import NamedTuple

from typing_extensions import TypedDict

from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.fleets import GOES_ON, Fleet, FoundFleet, StateOfRuns, Waiting, Worker
from maker_graph.run.session import Said

SHOWN = 20
"""The most waiting runs that are shown."""


class WaitsFor(TypedDict):
    """A run that no worker can go on with by itself: its name, its state, and why it waits."""

    run: str
    state: str
    why: str


class FleetSummary(TypedDict):
    """The figures of a fleet, as `maker-graph status --fleet --json` prints them.

    Attributes:
        fleet: the name of the fleet.
        runs: how many runs there are.
        states: state -> how many runs are in it.
        steps: committed steps of all runs.
        total: steps of all tasks; None if one task does not know how many it has.
        samples: replies to all runs.
        calls: requests of all runs.
        cost_usd: USD that all runs have spent.
        purse: what was taken from the purse, and its limits. It may be more than was spent, since runs take a portion
            ahead.
        rpm: the most requests per minute of all workers together; None is no limit.
        shut: until when all workers wait for the provider, and why; None if they do not.
        workers: the workers that were heard within their lease.
        waits: the first 20 runs that wait for a person, a repair or a higher limit.
    """

    fleet: str
    runs: int
    states: dict[str, int]
    steps: int
    total: int | None
    samples: int
    calls: int
    cost_usd: float
    purse: dict[str, float | None]
    rpm: float | None
    shut: str | None
    workers: list[str]
    waits: list[WaitsFor]


class Standing(NamedTuple):
    """How a fleet stands at one moment.

    Attributes:
        fleet: the name of the fleet.
        found: its limits and its purse.
        states: its runs by state.
        workers: its workers, also those that have not been heard for longer than their lease.
        waiting: the first runs that no worker can go on with by itself, at most `SHOWN`.
    """

    fleet: str
    found: FoundFleet
    states: list[StateOfRuns]
    workers: list[Worker]
    waiting: list[Waiting]

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return sum(each.runs for each in self.states)

    @property
    def steps(self) -> int:
        """Committed steps of all runs."""
        return sum(each.steps for each in self.states)

    @property
    def total(self) -> int | None:
        """Steps of all tasks; None if one task does not know how many it has."""
        totals = [each.total for each in self.states]
        return None if None in totals else sum(filter(None, totals))

    @property
    def goes_on(self) -> int:
        """Runs that are at work, or that a worker may go on with."""
        return sum(each.runs for each in self.states if each.state in GOES_ON)

    @property
    def done(self) -> int:
        """Runs that are done."""
        return sum(each.runs for each in self.states if each.state == "done")

    @property
    def living(self) -> list[str]:
        """The workers that were heard within their lease."""
        return [each.name for each in self.workers if each.lives]

    def summary(self) -> FleetSummary:
        """Return the figures."""
        found, limits = self.found, self.found.limits
        return FleetSummary(
            fleet=self.fleet,
            runs=self.runs,
            states={each.state: each.runs for each in self.states},
            steps=self.steps,
            total=self.total,
            samples=sum(each.samples for each in self.states),
            calls=sum(each.calls for each in self.states),
            cost_usd=round(sum(each.cost for each in self.states), 6),
            purse={
                "calls": found.calls,
                "max_calls": limits.max_calls,
                "cost_usd": round(found.cost, 6),
                "max_cost_usd": limits.max_cost,
            },
            rpm=limits.rpm,
            shut=None if found.shut_until is None else f"until {found.shut_until:%H:%M:%S %Z}: {found.shut_why or 'no reason'}",
            workers=self.living,
            waits=[WaitsFor(run=each.name, state=each.state, why=why(each)) for each in self.waiting],
        )


def standing(fleet: Fleet) -> Standing:
    """Return how a fleet stands now.

    Raises:
        UsageError: no fleet can have this name.
        UnusableRun: there is no such fleet.
        OutOfReach: the database cannot be reached.
    """
    return Standing(fleet.name, fleet.found(), fleet.by_state(), fleet.workers(), fleet.waiting(SHOWN))


def standing_at(address: str, fleet: str) -> Standing:
    """Return how a fleet stands now; see `standing`.

    Args:
        address: the address of the database.
        fleet: the name of the fleet.

    Raises:
        UsageError: the name or the address cannot be one, or the extra `fleet` is missing.
        UnusableRun: there is no such fleet.
        OutOfReach: the database cannot be reached.
    """
    with closing(Connection(address)) as connection:
        connection.see_tables()
        return standing(Fleet(connection, fleet))


def why(waiting: Waiting) -> str:
    """Return in a sentence why a run waits; empty if its last session did not say it."""
    said = _said(waiting.said)
    if said is None:
        return ""
    return said.why or (f"Step {said.question.step}: {said.question.reason}" if said.question else "")


def _said(text: str | None) -> Said | None:
    """Return what a session said; None if it said nothing, or if it cannot be read."""
    try:
        return None if text is None else Said.model_validate_json(text)
    except ValueError:
        return None


def todo(fleet: str, state: str) -> str:
    """Return what to do about the runs in this state, as the end of a sentence."""
    match state:
        case "limit":
            return (
                f"submit {fleet} again with a higher --max-cost or --max-calls, and start maker-graph work {fleet} again. If "
                "the limit is that of one run, such as --max-minutes, go on with maker-graph resume RUN and a higher one"
            )
        case "stuck" | "waits":
            return "answer it with maker-graph resume RUN --answer, or in maker-graph watch"
        case _:
            return f"mend the cause, and go on with maker-graph resume RUN, or submit {fleet} again with other limits"
