"""Rules asked vote by vote, to be held against what is counted."""

from collections.abc import Callable, Sequence

from maker_graph.core.rules import Decided


def decided_at(rule: Callable[[dict[str, int]], object], votes: Sequence[int]) -> int | None:
    """Return the number of the vote at which `rule` decides; None if it does not."""
    ballot: dict[str, int] = {}
    for number, place in enumerate(votes, start=1):
        ballot[str(place)] = ballot.get(str(place), 0) + 1
        if isinstance(rule(ballot), Decided):
            return number
    return None
