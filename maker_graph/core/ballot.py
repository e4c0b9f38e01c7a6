"""Ballots: candidate -> votes, of one microstep.

A candidate is the canonical JSON of a valid answer. The order of the votes decides only the order of the keys: each candidate
stands where its first vote came.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

Ballot: TypeAlias = Mapping[str, int]


class Lead(NamedTuple):
    """The first candidate and how far it is ahead; `(None, 0)` for an empty ballot, lead 0 for a tie."""

    candidate: str | None
    votes: int


def count(votes: Iterable[str]) -> dict[str, int]:
    """Return the ballot of `votes`.

    >>> count(["a", "b", "a"])
    {'a': 2, 'b': 1}
    """
    ballot: dict[str, int] = {}
    for candidate in votes:
        ballot[candidate] = ballot.get(candidate, 0) + 1
    return ballot


def lead(ballot: Ballot) -> Lead:
    """Return the leader and its votes minus those of the second (0 if there is none).

    >>> lead({"a": 4, "b": 1, "c": 2})
    Lead(candidate='a', votes=2)
    """
    first, most, second = None, 0, 0
    for candidate, votes in ballot.items():
        if votes > most:
            first, most, second = candidate, votes, most
        elif votes > second:
            second = votes
    return Lead(first, most - second)
