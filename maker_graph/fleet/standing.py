"""How a fleet stands, for who looks on."""

from contextlib import closing
from typing import NamedTuple

from typing_extensions import TypedDict

from maker_graph.journal.postgres.connection import Connection
from maker_graph.journal.postgres.fleets import GOES_ON, Fleet, FoundFleet, StateOfRuns, Waiting, Worker
from maker_graph.run.session import Said

SHOWN = 20
"""Runs that wait for something and are shown."""


class WaitsFor(TypedDict):
    """A run that no worker can go on with by itself: its state, and what it said."""

    run: str
    state: str
    why: str


class FleetSummary(TypedDict):
    """A fleet in figures: what `maker-graph status --fleet --json` prints.

    `states` says how many runs are in each state. `steps` are committed, `total` those of all tasks, None if one does not know.
    `calls` and `cost_usd` were made and spent by all runs. `purse` is what was taken from their purse, with its limits: a run
    takes a portion ahead. `workers` were heard within their lease. `waits` are runs that wait for a person, a cure or a higher
    limit, at most 20 of them.
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
        fleet: its name.
        found: its limits and its purse.
        states: its runs by state.
        workers: those that were heard of.
        waiting: runs that no worker can go on with by itself, at most `SHOWN`.
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
        """Steps of all tasks; None if one of them does not know."""
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
        """Return it in figures."""
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
        UnusableRun: there is no such fleet.
        OutOfReach: the database cannot be reached.
    """
    return Standing(fleet.name, fleet.found(), fleet.by_state(), fleet.workers(), fleet.waiting(SHOWN))


def standing_at(address: str, fleet: str) -> Standing:
    """Return how the fleet of this name stands now, in the database at this address; as `standing` does."""
    with closing(Connection(address)) as connection:
        connection.see_tables()
        return standing(Fleet(connection, fleet))


def why(waiting: Waiting) -> str:
    """Return why a run waits, in a sentence."""
    said = _said(waiting.said)
    if said is None:
        return ""
    return said.why or (f"Step {said.question.step}: {said.question.reason}" if said.question else "")


def _said(text: str | None) -> Said | None:
    try:
        return None if text is None else Said.model_validate_json(text)
    except ValueError:
        return None


def todo(fleet: str, state: str) -> str:
    """Return what helps a run that is in this state, as the end of a sentence."""
    match state:
        case "limit":
            return f"submit {fleet} again with a higher --max-cost or --max-calls, and work on it"
        case "stuck" | "waits":
            return "answer it with maker-graph resume RUN --answer, or in maker-graph watch"
        case _:
            return f"when that is cured, go on with maker-graph resume RUN, or submit {fleet} again with other limits"
