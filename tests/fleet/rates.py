"""Fleets with a rate, and what was asked of a provider in time."""

from maker_graph.journal.postgres.connection import Connection


def fleet_with(address: str, rpm: float | None) -> None:
    """Make a fleet f with this rate."""
    db = Connection(address)
    db.prepare()
    db.rows("INSERT INTO maker_graph.fleets (name, submission, rpm) VALUES ('f', '', %(rpm)s) RETURNING 1", {"rpm": rpm})
    db.close()


def most_within(times: list[float], seconds: float) -> int:
    """Return how many of these times, which are in order, lie within so many seconds at most."""
    first = most = 0
    for last, time in enumerate(times):
        while time - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
