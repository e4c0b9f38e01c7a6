"""Stopping rules: given a ballot, is it decided, and if not, how many samples must be drawn next?

The law of the paper is sequential: after *each* vote, stop as soon as the leader is k ahead (arXiv 2511.09030, Alg. 2).
Samples are drawn in parallel all the same, in *deficit rounds*: each round draws exactly as many samples as the leader
still lacks, all of them are awaited, and all are counted.

Why this is the sequential law to the letter: with a lead of d, no candidate can get k ahead in fewer than k - d further
votes. So within a round of k - d samples the sequential rule could stop at the last vote at the earliest: it would have
counted every vote of the round too, and nothing is drawn that it would not have drawn. A discarded sample adds no vote,
leaves the deficit as it was, and is replaced in the next round.

What breaks the law: counting replies as they arrive, and stopping when enough have come. If wrong replies are faster
than right ones, the early stop favours them.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from maker_graph.core.ballot import Ballot, lead
from maker_graph.core.checks import failed, whole
from maker_graph.errors import UsageError


class Decided(NamedTuple):
    """This candidate has won."""

    candidate: str


class Draw(NamedTuple):
    """Nobody can win with fewer votes than this; draw as many samples."""

    samples: int


class Hung(NamedTuple):
    """Nobody has won, and under this rule nobody can any more."""


Verdict: TypeAlias = Decided | Draw | Hung


class StoppingRule(Protocol):
    """Says of a ballot: decided, draw n more, or hung. Any function of this form will do."""

    def __call__(self, ballot: Ballot, /) -> Verdict:
        """Return the verdict on `ballot`."""
        ...


def checked_verdict(rule: StoppingRule, ballot: Ballot) -> Verdict:
    """Return what `rule` says of `ballot`, of which it sees a copy, if it is a verdict that can be kept.

    >>> checked_verdict(AheadBy(2), {"a": 1})
    Draw(samples=1)

    Raises:
        UsageError: the rule fails, draws no whole number of samples, or decides for what nobody voted for.
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
            if candidate not in [*ballot]:  # whatever it is, also if it has no hash
                raise UsageError(f"{what} decided for a candidate that nobody voted for: it must be a key of the ballot.")
            return verdict
    raise UsageError(f"{what} must return Decided(candidate), Draw(samples) or Hung(), and it returned {verdict!r}.")


def _name_of(rule: object) -> str:
    return str(getattr(rule, "__name__", rule))


@dataclass(frozen=True, slots=True)
class AheadBy:
    """First to be ahead of every other candidate by k votes: the rule of the paper, and the default.

    >>> AheadBy(3)({"a": 4, "b": 2})
    Draw(samples=1)
    >>> AheadBy(3)({"a": 5, "b": 2})
    Decided(candidate='a')
    """

    k: int

    def __post_init__(self) -> None:
        whole("k", self.k)

    def __call__(self, ballot: Ballot, /) -> Verdict:
        """Return the verdict on `ballot`."""
        leader, ahead = lead(ballot)
        if leader is not None and ahead >= self.k:
            return Decided(leader)
        return Draw(self.k - ahead)

    def __str__(self) -> str:
        return f"ahead by {self.k}"


@dataclass(frozen=True, slots=True)
class FirstTo:
    """First to k votes: cheaper and weaker than `AheadBy(k)`; here to be compared with it (paper, section 4.4).

    >>> FirstTo(3)({"a": 2, "b": 2})
    Draw(samples=1)
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
    """More than half of exactly n votes; without it the vote is hung. Here to be compared with `AheadBy`.

    >>> Majority(5)({"a": 2, "b": 2, "c": 1})
    Hung()
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
