"""The counts of one step of a journal, on all rungs."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from maker_graph.journal.entry import Skimmed, SkimmedVote


class SequenceCounts(NamedTuple):
    """The counts of a sequence of samples.

    `places` are the votes of each candidate. `first_to` are the numbers of samples and votes at which first-to-k decides.
    """

    votes: int
    places: tuple[int, ...]
    flags: tuple[tuple[str, int], ...]
    first_to: tuple[int, int] | None


@lru_cache(maxsize=1 << 14)
def sequence_counts(sequence: tuple[int | str, ...], k: int) -> SequenceCounts:
    """Return the counts of a sequence of samples, and where first-to-`k` decides."""
    places: Counter[int] = Counter()
    flags: Counter[str] = Counter()
    first_to = None
    for number, sample in enumerate(sequence, start=1):
        if isinstance(sample, str):
            flags[sample] += 1
            continue
        places[sample] += 1
        if first_to is None and places[sample] == k:
            first_to = (number, places.total())
    by_place = tuple(places[place] for place in range(max(places, default=-1) + 1))
    return SequenceCounts(places.total(), by_place, tuple(flags.items()), first_to)


class CountedStep(NamedTuple):
    """One step of the journal with the counts of its votes, the deciding one last, and the right candidate if it is known.

    Samples, votes, rounds and lost votes are of all rungs together. `first_to` is where first-to-k would have decided.
    """

    number: int
    seen: Skimmed
    counts: Sequence[SequenceCounts]
    truth: str | None
    samples: int
    votes: int
    rounds: int
    first_to: tuple[int, int] | None
    outvoted: int


def counted_step(number: int, seen: Skimmed, k: int, truth: str | None) -> CountedStep:
    """Return a step of the journal with its counts; `k` is the lead that decided, `truth` the right candidate, if known."""
    if len(seen.votes) == 1:
        vote = seen.votes[0]
        count = sequence_counts(tuple(vote.sequence), k)
        won = count.places[seen.winner] if seen.winner is not None and seen.winner < len(count.places) else 0
        outvoted = 0 if seen.winner is None else count.votes - won
        return CountedStep(
            number, seen, (count,), truth, len(vote.sequence), count.votes, vote.rounds, count.first_to, outvoted
        )
    counts = [sequence_counts(tuple(vote.sequence), k) for vote in seen.votes]
    samples = votes = 0
    first_to = None
    for vote, count in zip(seen.votes, counts, strict=True):
        if first_to is None and count.first_to is not None:
            first_to = (samples + count.first_to[0], votes + count.first_to[1])
        samples, votes = samples + len(vote.sequence), votes + count.votes
    rounds = sum(vote.rounds for vote in seen.votes)
    return CountedStep(number, seen, counts, truth, samples, votes, rounds, first_to, _outvoted(seen, counts))


def _outvoted(seen: Skimmed, counts: Sequence[SequenceCounts]) -> int:
    """Return the votes on all rungs that were not for the winner; 0 if there is no winner."""
    if seen.winner is None:
        return 0
    winner = candidates_of(seen, seen.votes[-1])[seen.winner]
    lost = 0
    for vote, count in zip(seen.votes, counts, strict=True):
        places = zip(candidates_of(seen, vote), count.places, strict=False)  # a person's answer has no votes
        lost += sum(votes for candidate, votes in places if candidate != winner)
    return lost


def candidates_of(seen: Skimmed, vote: SkimmedVote) -> list[str]:
    """Return the candidates of a vote; the one that the journal leaves out, because it is the answer, is filled in."""
    return [seen.answer_text if candidate is None else candidate for candidate in vote.candidates]
