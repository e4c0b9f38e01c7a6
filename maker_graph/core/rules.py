"""Stopping rules: given a ballot, is it decided, and if not, how many samples must be drawn next?

The rule of the paper is sequential: after *each* vote, stop as soon as the leader is k ahead (arXiv 2511.09030, Alg. 2).
Here samples are drawn in parallel all the same, in *deficit rounds*. Each round draws exactly as many samples as the leader
still lacks. All of them are awaited, and all are counted.

This follows the sequential rule exactly. With a lead of d, no candidate can get k ahead in fewer than k - d further votes. So
the sequential rule could not stop before the last vote of a round of k - d samples. It would have drawn and counted every vote
of the round too. A discarded sample adds no vote, leaves the deficit as it was, and is replaced in the next round.

The outcome also stays the same for a rule that gives up, such as ahead by k within m votes. It gives up when nobody can win
with the votes that are left. More votes cannot change that: each one leaves one vote less and moves the lead by at most one.
Only the number of votes may differ: the sequential rule may give up in the middle of a round, and save the rest of it.

Counting replies as they arrive, and stopping when enough have come, would break the rule. If wrong replies are faster than
right ones, the early stop favours them.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from maker_graph.core.ballot import Ballot, lead
from maker_graph.core.checks import failed, whole
from maker_graph.errors import UsageError


class Decided(NamedTuple):
    """What a rule returns if a candidate has won.

    Attributes:
        candidate: the winner, as it stands in the ballot.
    """

    candidate: str


class Draw(NamedTuple):
    """What a rule returns if more samples are needed.

    Attributes:
        samples: how many samples the next round draws, at least 1. No candidate can win with fewer.
    """

    samples: int


class Hung(NamedTuple):
    """What a rule returns if no candidate can win any more. The step is contested, and the vote passes it on."""


Verdict: TypeAlias = Decided | Draw | Hung


class StoppingRule(Protocol):
    """Any function that takes a ballot and returns `Decided`, `Draw` or `Hung`. The parameter `k` takes it.

    A ballot is a mapping: candidate -> votes. A candidate is an answer as canonical JSON. The candidates stand in the order of
    their first votes. For an empty ballot, the rule returns `Draw`.

    >>> def two_votes(ballot):
    ...     winner = next((candidate for candidate, votes in ballot.items() if votes >= 2), None)
    ...     return Draw(1) if winner is None else Decided(winner)
    >>> two_votes({}), two_votes({"a": 1, "b": 2})
    (Draw(samples=1), Decided(candidate='b'))
    """

    def __call__(self, ballot: Ballot, /) -> Verdict:
        """Return the verdict on `ballot`."""
        ...


def checked_verdict(rule: StoppingRule, ballot: Ballot) -> Verdict:
    """Return the verdict of `rule` on a copy of `ballot`, if it is a valid one.

    >>> checked_verdict(AheadBy(2), {"a": 1})
    Draw(samples=1)

    Raises:
        UsageError: the rule fails, draws no whole number of samples, or decides for a candidate without votes.
    """
    what = f"The stopping rule {_name_of(rule)}"
    try:
        verdict = rule(dict(ballot))
    except UsageError:
        raise
    except Exception as error:
        raise failed(f"{what}, on the votes {sorted(ballot.values(), reverse=True)},", error) from error
    match verdict:
        case Hung():
            return verdict
        case Draw(samples):
            whole(f"{what} said {verdict}: the samples to draw", samples)
            return verdict
        case Decided(candidate):
            if candidate not in [*ballot]:  # a list, because the candidate may have no hash
                raise UsageError(f"{what} decided for a candidate that nobody voted for: it must be a key of the ballot.")
            return verdict
    raise UsageError(f"{what} must return Decided(candidate), Draw(samples) or Hung(), but it returned {verdict!r}.")


def _name_of(rule: object) -> str:
    return str(getattr(rule, "__name__", rule))


@dataclass(frozen=True, slots=True)
class AheadBy:
    """The first candidate that is ahead of every other by k votes wins. This is the rule of the paper, and the default.

    With `within`, the lead must be reached within this many votes. As soon as that is impossible, the step is passed on.
    Without `within`, the vote goes on until an answer wins, also on steps on which the model is mostly wrong. With `within=k`,
    only a unanimous vote decides.

    >>> AheadBy(3)({"a": 4, "b": 2})
    Draw(samples=1)
    >>> AheadBy(3)({"a": 5, "b": 2})
    Decided(candidate='a')
    >>> AheadBy(3, within=5)({"a": 2, "b": 1}), AheadBy(3, within=5)({"a": 2, "b": 2})
    (Draw(samples=2), Hung())

    Attributes:
        k: the lead that decides, at least 1.
        within: the most votes, at least `k`; None is no limit.

    Raises:
        UsageError: k is not a whole number of at least 1, or `within` is not a whole number of at least k.
    """

    k: int
    within: int | None = None

    def __post_init__(self) -> None:
        whole("k", self.k)
        if self.within is not None and whole("within", self.within) < self.k:
            raise UsageError(f"Nobody can be ahead by {self.k} within {self.within} votes: raise within or lower k.")

    def __call__(self, ballot: Ballot, /) -> Verdict:
        """Return the verdict on `ballot`."""
        leader, ahead = lead(ballot)
        if leader is not None and ahead >= self.k:
            return Decided(leader)
        if self.within is not None and sum(ballot.values()) + self.k - ahead > self.within:
            return Hung()
        return Draw(self.k - ahead)

    def capped(self, samples: int) -> "AheadBy":
        """Return the rule for a vote of at most `samples`: if it has a `within`, it gives up once nobody can win within them.

        >>> AheadBy(3, within=9).capped(5), AheadBy(3).capped(5)
        (AheadBy(k=3, within=5), AheadBy(k=3, within=None))
        """
        return self if self.within is None else AheadBy(self.k, max(self.k, min(self.within, samples)))

    def __str__(self) -> str:
        return f"ahead by {self.k}" if self.within is None else f"ahead by {self.k} within {self.within} votes"


@dataclass(frozen=True, slots=True)
class Confirm:
    """The first vote proposes an answer. If at least `by` of the next `of` votes confirm it, it wins; else the step is passed.

    With a pair of temperatures the first sample has the lower one, at which the model is right most often. The others have the
    higher one, so that they are not mere copies. If the first sample is discarded, the first valid one proposes.

    >>> Confirm(3, of=4)({"a": 3, "b": 1}), Confirm(3, of=4)({"a": 1, "b": 2})
    (Draw(samples=1), Hung())
    >>> Confirm(3, of=4)({"a": 4, "b": 1})
    Decided(candidate='a')

    Attributes:
        by: how many votes must confirm the answer of the first vote, at least 1.
        of: the most votes that are cast after the first one, at least `by`.

    Raises:
        UsageError: `by` or `of` is not a whole number of at least 1, or `by` is more than `of`.
    """

    by: int
    of: int

    def __post_init__(self) -> None:
        if whole("of", self.of) < whole("by", self.by):
            raise UsageError(f"{self.by} of {self.of} votes cannot confirm an answer: raise of or lower by.")

    def __call__(self, ballot: Ballot, /) -> Verdict:
        """Return the verdict on `ballot`, whose first key is the answer of the first vote."""
        if not ballot:
            return Draw(1 + self.by)
        proposed, votes = next(iter(ballot.items()))
        missing = self.by + 1 - votes
        if missing <= 0:
            return Decided(proposed)
        left = 1 + self.of - sum(ballot.values())
        return Draw(missing) if missing <= left else Hung()

    def capped(self, samples: int) -> "Confirm":
        """Return the rule for a vote of at most `samples`: it gives up once nobody can win within them.

        >>> Confirm(2, of=8).capped(5)
        Confirm(by=2, of=4)
        """
        return Confirm(self.by, max(self.by, min(self.of, samples - 1)))

    def __str__(self) -> str:
        return f"confirmed by {self.by} of {self.of}"


@dataclass(frozen=True, slots=True)
class FirstTo:
    """The first candidate with k votes wins.

    It takes fewer votes than `AheadBy(k)`, and is wrong more often. It is meant for comparisons (arXiv 2511.09030,
    section 4.4).

    >>> FirstTo(3)({"a": 2, "b": 2})
    Draw(samples=1)

    Attributes:
        k: the votes that decide, at least 1.

    Raises:
        UsageError: k is not a whole number of at least 1.
    """

    k: int

    def __post_init__(self) -> None:
        whole("k", self.k)

    def __call__(self, ballot: Ballot, /) -> Verdict:
        """Return the verdict on `ballot`."""
        leader = max(ballot, key=ballot.__getitem__, default=None)
        most = 0 if leader is None else ballot[leader]
        if leader is not None and most >= self.k:
            return Decided(leader)
        return Draw(self.k - most)

    def __str__(self) -> str:
        return f"first to {self.k}"


@dataclass(frozen=True, slots=True)
class Majority:
    """A candidate with more than half of exactly n votes wins. If there is none, the step is passed on.

    It is meant for comparisons with `AheadBy`.

    >>> Majority(5)({"a": 2, "b": 2, "c": 1})
    Hung()

    Attributes:
        n: the number of votes, at least 1.

    Raises:
        UsageError: n is not a whole number of at least 1.
    """

    n: int

    def __post_init__(self) -> None:
        whole("n", self.n)

    def __call__(self, ballot: Ballot, /) -> Verdict:
        """Return the verdict on `ballot`."""
        cast = sum(ballot.values())
        if cast < self.n:
            return Draw(self.n - cast)
        leader = max(ballot, key=ballot.__getitem__)
        return Decided(leader) if 2 * ballot[leader] > cast else Hung()

    def __str__(self) -> str:
        return f"majority of {self.n}"
