"""Copies: replies that a model did not make anew.

A vote counts draws of one procedure. A gateway with a cache answers later samples of a step with its first reply, and k copies
of one draw look like a lead of k. What proves a copy:

- the same response id with the same text as an earlier sample of the vote. Short ids prove nothing, for they repeat by chance
  (some servers draw them from a thousand numbers), and neither does an id that comes with another text;
- a cache that says so, in a header of its response.

The same text alone is no proof: right answers are short and alike. Long ones that are alike at a temperature above 0 are a
reason to look (`alike`).
"""

from collections.abc import Iterable, Sequence

from maker_graph.core.red_flags import Sample

UNIQUE = 16
"""Characters of an id that does not repeat by chance."""

LONG = 200
"""Characters of a text that two draws at a temperature above 0 seldom share."""

PROBE = (
    "Write forty English words that have nothing to do with each other, each chosen by chance, in one line with spaces between "
    "them. Write nothing else."
)
"""A question to which no two draws give the same answer."""

PROBED = 60
"""Characters below which an answer to `PROBE` says nothing."""


def copies(samples: Iterable[Sample]) -> set[int]:
    """Return the indices of the samples of one vote, given in the order of launch, that are copies.

    >>> copies([Sample(0, "7", id="chatcmpl-0123456789"), Sample(1, "7", id="chatcmpl-0123456789"), Sample(2, "7")])
    {1}
    """
    found: set[int] = set()
    seen: set[tuple[str, str]] = set()
    for sample in samples:
        reply = (sample.id, sample.text)
        if sample.from_cache or (len(sample.id) >= UNIQUE and reply in seen):
            found.add(sample.index)
        seen.add(reply)
    return found


def alike(samples: Sequence[Sample], earlier: Sequence[Sample]) -> tuple[int, int]:
    """Return how many of `samples` have a long text that an earlier sample of the vote has too, and how many could have.

    >>> alike([Sample(1, "x" * 300), Sample(2, "y" * 300)], [Sample(0, "x" * 300)])
    (1, 2)
    """
    seen = {sample.text for sample in earlier if len(sample.text) >= LONG}
    same = compared = 0
    for sample in samples:
        if len(sample.text) < LONG:
            continue
        compared += bool(seen)
        same += sample.text in seen
        seen.add(sample.text)
    return same, compared
