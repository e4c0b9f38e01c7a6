"""Copies: replies that a model did not make anew.

The samples of a vote must be separate draws. A gateway with a cache answers later samples of a step with its first reply, and
then k copies of one draw look like a lead of k. Two things prove a copy:

- It has the response id and the text of an earlier sample of the vote, and the server gives different replies different ids.
  Some servers give all replies the same id, or one of a thousand numbers. An id that comes with two texts proves nothing.
- A cache says so, in a header of its response.

The same text alone proves nothing, because right answers are short and alike. If long texts are the same at a temperature
above 0, that is a reason to look for a cache (`alike`).
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from maker_graph.core.red_flags import Sample

NOTE = "copies"
"""The name of the note in which a run keeps what was seen of copies. A run with a model that ships has no such note."""

LONG = 200
"""The least characters of a long text. Two draws at a temperature above 0 seldom give the same long text."""

PROBE = (
    "Write forty English words that have nothing to do with each other, each chosen by chance, in one line with spaces between "
    "them. Write nothing else."
)
"""A question to which two draws do not give the same answer by chance."""

PROBED = 60
"""An answer to `PROBE` with fewer characters says nothing."""

SUSPECT = 3
"""A cache is suspected if at least this many long replies repeat an earlier one, and at least half of those that could."""


class CopiesSeen(NamedTuple):
    """What was seen of copies among the replies of an app or a run.

    >>> CopiesSeen(same=3, compared=6).suspected, CopiesSeen(same=3, compared=7).suspected
    (True, False)

    Attributes:
        proven: samples that were copies, and were discarded.
        same: long replies, drawn at a temperature above 0, whose text an earlier sample of the step had too.
        compared: long replies that came after another long one, so that they could have repeated it.
        varied: whether the replies to `PROBE` differed; None if it was not asked, or the replies were too short to tell.
    """

    proven: int = 0
    same: int = 0
    compared: int = 0
    varied: bool | None = None

    @classmethod
    def of(cls, note: str | None) -> "CopiesSeen":
        """Return what a note says; without a note, nothing was seen."""
        return cls() if note is None else cls(**json.loads(note))

    def note(self) -> str:
        """Return what was seen, as text."""
        return json.dumps(self._asdict())

    @property
    def suspected(self) -> bool:
        """Whether a cache is likely, because so many long replies are the same."""
        return self.same >= SUSPECT and 2 * self.same >= self.compared


def reply_id(id_: str) -> str:
    """Return the part of a sample's id that names the provider's reply, in which the sample may be one of several choices.

    >>> reply_id("5d41402abc4b2a76#2")
    '5d41402abc4b2a76'
    """
    return id_.partition("#")[0]


def copies(samples: Sequence[Sample], *, ids_differ: bool = False) -> set[int]:
    """Return the indices of the samples of one vote, given in the order of launch, that are copies.

    >>> copies([Sample(0, "7", id="a"), Sample(1, "7", id="b"), Sample(2, "7", id="b"), Sample(3, "7")])
    {2}

    Args:
        samples: all samples of the vote so far.
        ids_differ: whether the server is known to give different replies different ids. If not, these samples must show it.
    """
    texts: dict[str, set[str]] = {}
    for sample in samples:
        for id_, text in _replies(sample):
            texts.setdefault(id_, set()).add(text)
    naming = (
        {id_ for id_, of_id in texts.items() if len(of_id) == 1} if ids_differ or len(set(map(reply_id, texts))) > 1 else set()
    )
    found: set[int] = set()
    seen: set[str] = set()
    for sample in samples:
        ids = {id_ for id_, _ in _replies(sample)}
        if sample.from_cache or ids & naming & seen:
            found.add(sample.index)
        seen |= ids
    return found


def _replies(sample: Sample) -> list[tuple[str, str]]:
    """Return the id and the text of each reply with an id that a sample is made of."""
    first = sample.reasoned
    replies = [*([] if first is None else [(first["id"], first["text"])]), (sample.id, sample.text)]
    return [(id_, text) for id_, text in replies if id_]


def drawn_text(sample: Sample) -> str:
    """Return the text that was drawn at random: of two calls that of the first, because the second only writes it down."""
    return sample.text if sample.reasoned is None else sample.reasoned["text"]


def alike(samples: Sequence[Sample], earlier: Sequence[Sample]) -> tuple[int, int]:
    """Return how many of `samples` have the long text of an earlier sample of the vote, and how many could have.

    >>> alike([Sample(1, "x" * 300), Sample(2, "y" * 300)], [Sample(0, "x" * 300)])
    (1, 2)
    """
    seen = {text for sample in earlier if len(text := drawn_text(sample)) >= LONG}
    same = compared = 0
    for sample in samples:
        if len(text := drawn_text(sample)) < LONG:
            continue
        compared += bool(seen)
        same += text in seen
        seen.add(text)
    return same, compared
