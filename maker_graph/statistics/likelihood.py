"""How likely ballots are, and how likely their winners are wrong, if no truth is known. `unlabelled.py` fits this model.

The steps are those of `correlated.py`: the share of wrong samples of a step, theta, is drawn from a Beta distribution with
mean e and within-step correlation rho, and valid samples of one step err independently at that rate. The probability that a
samples are right and b are wrong, in a given order, is

    E[(1-theta)^a theta^b] = [(1-e)(1-rho)]_a [e(1-rho)]_b / [1-rho]_(a+b),  [x]_n = x (x + rho) ... (x + (n-1) rho),

which holds at rho = 0 as well (Skellam, J. R. Stat. Soc. B 10, 1948, with other letters).

How wrong votes split. Two wrong votes of one step agree with probability c. A wrong winner needs more than two that agree, and
c alone does not say how often that happens. It is rarest if all wrong answers are equally frequent. It is most frequent if all
wrong votes agree on some steps and none agree on the others. So three numbers are fitted. On a share s of the steps there is a
single rival. On the others a favourite gets a share f of the wrong votes (the `rival` of `race.py`), and two votes for other
wrong answers agree with probability g. These are equally frequent, except for one that may be rarer. One vote in a hundred is
assumed to scatter more freely, by Ewens' formula with the same g, so that nothing is impossible. s = 1 or f = 1 is the worst
case.

Who is right. Any candidate of a ballot may be right, or none. If a candidate with a of the N votes is right, the ballot has the
probability E[(1-theta)^a theta^(N-a)], times the probability that the other votes split as they do. If none is right, a = 0.
The sum is the likelihood of the ballot as far as it depends on these five numbers, because only the votes decide when a vote
stops. The share of all terms but the winner's is the probability that the winner is wrong, given the ballot. So the chance that
no step is wrong, given these ballots, is a product over steps, and a function of the five numbers.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Tally: TypeAlias = tuple[int, ...]
"""The votes of a ballot: the winner's, then those of the other candidates, most first; if there is no winner, most first."""

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]
Axes: TypeAlias = Sequence[Floats]
"""A grid over the five coordinates: ln e, the square root of rho as a share of its largest value, s, f and g."""

_FREE = 0.01  # the weight of Ewens' formula
_SURE = 1 - 1e-15  # the largest probability of being wrong that floats can handle here


class Splits(NamedTuple):
    """How wrong votes fall into parts: the splits, and the rests that are left when the favourite's part is taken away.

    Each row is a split or a rest.

    Attributes:
        votes: the number of votes of each row.
        parts: the number of parts of each row.
        padded: the parts of each row, filled with 0 up to the largest number of parts.
        ways: ln of (n_1 - 1)! (n_2 - 1)! ... of each row.
        whole: the rows that are splits.
        rests: for each split and each of its parts, the row of the other parts; the split's own row for a part that is 0.
    """

    votes: Places
    parts: Places
    padded: Places
    ways: Floats
    whole: Places
    rests: Places


class Cases(NamedTuple):
    """All tallies, those of decided steps first, and the hypotheses about each of them in one row.

    A hypothesis says who is right: each candidate in turn, the winner first, and then none.

    Attributes:
        seen: for each tally, how many ballots have it.
        decided: for each tally, how many steps were decided with it.
        first: for each tally, where its hypotheses begin.
        tally: for each hypothesis, its tally.
        right: for each hypothesis, the votes that are right.
        wrong: for each hypothesis, the votes that are wrong.
        split: for each hypothesis, the number of the split of the wrong votes.
        splits: all splits of wrong votes.
    """

    seen: Floats
    decided: Floats
    first: Places
    tally: Places
    right: Places
    wrong: Places
    split: Places
    splits: Splits


class View(NamedTuple):
    """The values at each point of a grid; `likelihood` and `chance` are logarithms."""

    likelihood: Floats
    chance: Floats
    error: Floats
    rho: Floats
    agreement: Floats


def most_rho(error: Floats) -> Floats:
    """Return the largest correlation at which the density of theta does not rise towards 1: (1-e)(1/rho - 1) = 1."""
    return (1 - error) / (2 - error)


def cases_of(decided: Mapping[Tally, int], undecided: Mapping[Tally, int]) -> Cases:
    """Return the tallies with their hypotheses, those of decided steps first and in order."""
    tallies = list(dict.fromkeys([*decided, *undecided]))
    rows = [
        (place, votes, tuple(sorted(tally[:i] + tally[i + 1 :], reverse=True)))
        for place, tally in enumerate(tallies)
        for i, votes in enumerate([*tally, 0])
    ]
    splits = list(dict.fromkeys(parts for *_, parts in rows))
    places = {parts: place for place, parts in enumerate(splits)}
    return Cases(
        seen=np.array([float(decided.get(tally, 0) + undecided.get(tally, 0)) for tally in tallies]),
        decided=np.array([float(decided.get(tally, 0)) for tally in tallies]),
        first=np.cumsum([0, *(len(tally) + 1 for tally in tallies[:-1])]),
        tally=np.array([place for place, _, _ in rows]),
        right=np.array([votes for _, votes, _ in rows]),
        wrong=np.array([sum(parts) for *_, parts in rows]),
        split=np.array([places[parts] for *_, parts in rows]),
        splits=_taken_apart(splits),
    )


def _taken_apart(splits: list[Tally]) -> Splits:
    """Return the splits, and the rests that are left when a part is taken away."""
    most = max(map(len, splits))
    rests = [[split[:i] + split[i + 1 :] for i in range(most)] for split in splits]
    rows = {split: row for row, split in enumerate(dict.fromkeys([*splits, *(rest for some in rests for rest in some)]))}
    return Splits(
        votes=np.array([sum(split) for split in rows]),
        parts=np.array([len(split) for split in rows]),
        padded=np.array([[*split, *[0] * (most - len(split))] for split in rows]),
        ways=np.array([sum(map(math.lgamma, split)) for split in rows]),
        whole=np.array([rows[split] for split in splits]),
        rests=np.array([[rows[rest] for rest in some] for some in rests]),
    )


def at_point(cases: Cases, point: Floats) -> View:
    """Return the values at one point."""
    return on_grid(cases, list(point[:, None]))


def on_grid(cases: Cases, axes: Axes) -> View:
    """Return the values on a grid."""
    error, root, single, favourite, others = np.meshgrid(np.exp(axes[0]), *axes[1:], indexing="ij", sparse=True)
    likely, wrong = posteriors(cases, axes)
    covered = cases.decided > 0
    shape = [len(axis) for axis in axes]
    return View(
        likelihood=np.tensordot(cases.seen, likely, 1).reshape(shape),
        chance=np.tensordot(cases.decided[covered], np.log1p(-wrong[covered]), 1).reshape(shape),
        error=np.broadcast_to(error, shape),
        rho=np.broadcast_to(most_rho(error) * root**2, shape),
        agreement=np.broadcast_to(single + (1 - single) * (favourite**2 + (1 - favourite) ** 2 * others), shape),
    )


def posteriors(cases: Cases, axes: Axes) -> tuple[Floats, Floats]:
    """Return the log-likelihood of each tally and the probability that its winner is wrong, over (e, rho) and (s, f, g)."""
    error, root = (axis.ravel() for axis in np.meshgrid(np.exp(axes[0]), axes[1], indexing="ij"))
    rho = most_rho(error) * root**2
    most = int(cases.wrong.max())
    right, wrong, both = (_rising(x * (1 - rho), rho, most) for x in (1 - error, error, np.ones_like(error)))
    splits = _splits(cases.splits, *(axis.ravel() for axis in np.meshgrid(*axes[2:], indexing="ij")))
    logs = right[cases.right] + wrong[cases.wrong]
    top = np.maximum.reduceat(logs, cases.first)
    shares = np.exp(logs - top[cases.tally])[:, :, None] * splits[cases.split][:, None, :]
    total = np.add.reduceat(shares, cases.first)
    shares[cases.first] = 0.0
    lost = np.add.reduceat(shares, cases.first)
    votes = (cases.right + cases.wrong)[cases.first]
    with np.errstate(divide="ignore", invalid="ignore"):
        likely = np.log(total) + (top - both[votes])[:, :, None]
        return likely, np.where(total > 0, np.minimum(lost / total, _SURE), _SURE)


def _rising(start: Floats, step: Floats, most: int) -> Floats:
    """Return ln of x (x + step) ... (x + (n-1) step) for each n up to `most`, in rows."""
    logs = np.log(start + step * np.arange(most)[:, None])
    return np.concatenate([np.zeros((1, len(start))), np.cumsum(logs, axis=0)])


def _splits(splits: Splits, single: Floats, favourite: Floats, others: Floats) -> Floats:
    """Return the probability that wrong votes fall into each of the splits, in rows, for each triple of s, f and g."""
    scattered = (1 - _FREE) * _evenly(splits, others) + _FREE * _freely(splits, others)
    counts = np.arange(splits.votes.max() + 1)[:, None]
    hits, misses = favourite**counts, (1 - favourite) ** counts
    hits[0] = 0.0  # a part without votes
    parts, votes = splits.padded[splits.whole], splits.votes[splits.whole]
    without = misses[votes] * scattered[splits.whole]
    many = without + (hits[parts] * misses[votes[:, None] - parts] * scattered[splits.rests]).sum(axis=1)
    likely: Floats = single * (splits.parts[splits.whole] <= 1)[:, None] + (1 - single) * many
    return likely


def _freely(splits: Splits, agreement: Floats) -> Floats:
    """Return the probability of each row by Ewens' formula, t^parts (n_1 - 1)! ... / (t (t + 1) ... (t + votes - 1))."""
    t = 1 / agreement - 1
    rising = _rising(t, np.ones_like(t), int(splits.votes.max()))[splits.votes]
    likely: Floats = np.exp(splits.ways[:, None] + splits.parts[:, None] * np.log(t) - rising)
    return likely


def _evenly(splits: Splits, agreement: Floats) -> Floats:
    """Return the probability of each row if m answers are equally frequent, and one more is at most as frequent."""
    m = np.floor(1 / agreement)
    share = (m + np.sqrt(np.maximum(0.0, m**2 - (m + m**2) * (1 - agreement)))) / (m + m**2)
    last = np.maximum(0.0, 1 - m * share) / share
    choices = np.cumprod(np.vstack([np.ones_like(m), np.maximum(0.0, m - np.arange(splits.parts.max())[:, None])]), axis=0)
    powers = np.vstack([np.zeros_like(last), last ** np.arange(1, splits.votes.max() + 1)[:, None]])
    with_last = choices[np.maximum(splits.parts - 1, 0)] * powers[splits.padded].sum(axis=1)
    likely: Floats = share ** splits.votes[:, None] * (choices[splits.parts] + with_last)
    return likely
