"""The members of a population in a random order, which is the same for the same seed on any machine.

The order is a shuffle (Fisher and Yates) with random numbers from SHA-256. Draw number i, from 0, takes one of the n - i
members that are left: the one at place SHA-256("seed,i") mod (n - i). Anybody can repeat it with another program. Only the
draws that are used are computed, so the first 300 of a million cost no more than the first 300 of a thousand.
"""

import hashlib
from collections.abc import Iterator

from maker_graph.core.checks import whole


def drawn(population: int, seed: int) -> Iterator[int]:
    """Yield the numbers from 1 to `population`, each once, in a random order that depends only on `seed`.

    >>> list(drawn(5, 1))
    [2, 1, 3, 4, 5]

    Raises:
        UsageError: the population is not a number of members, or the seed no whole number of at least 0.
    """
    whole("population", population, 0)
    whole("seed", seed, 0)
    return _drawn(population, seed)


def _drawn(population: int, seed: int) -> Iterator[int]:
    moved: dict[int, int] = {}  # place -> the member there, if it is not the one of that number
    for place in range(population):
        chance = int.from_bytes(hashlib.sha256(f"{seed},{place}".encode()).digest())
        chosen = place + chance % (population - place)
        here = moved.pop(place, place)
        if chosen == place:
            yield here + 1
        else:
            yield moved.get(chosen, chosen) + 1
            moved[chosen] = here
