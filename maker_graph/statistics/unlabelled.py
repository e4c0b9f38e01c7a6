"""What the ballots of a run say about its steps, without any truth: how often samples are wrong, and how likely no step is.

The steps are those of `core/correlated.py`: the share of wrong samples of a step, theta, is drawn from a Beta distribution with
mean e and within-step correlation rho, and valid samples of one step err independently at that rate. That a samples are right
and b are wrong, in a given order, has the probability

    E[(1-theta)^a theta^b] = [(1-e)(1-rho)]_a [e(1-rho)]_b / [1-rho]_(a+b),  [x]_n = x (x + rho) ... (x + (n-1) rho),

which holds at rho = 0 as well (Skellam, J. R. Stat. Soc. B 10, 1948, in other letters).

How wrong votes split. Two wrong votes of one step agree with probability c. That alone does not say how often more of them do,
which is what makes a wrong winner: it is least where all wrong answers are equally frequent, and most where on some steps all
wrong votes agree and on the others none. So three numbers are fitted. On a share s of the steps there is a single rival; on the
others a favourite gets a share f of the wrong votes (the `rival` of `core/race.py`), and two votes for the others agree with
probability g, for these are equally frequent (but for one, which may be less so). One vote in a hundred is thought to scatter
more freely, by Ewens' formula with the same g, so that nothing is impossible. s = 1 or f = 1 is the worst case.

Who is right. Each candidate of a ballot may be, or none. With a of its N votes a candidate gives the ballot the probability
E[(1-theta)^a theta^(N-a)], times how likely the others fall into their parts; "none" has a = 0. The sum is the likelihood of
the ballot as far as it depends on these five numbers, for when to stop was decided by the votes alone. The share of all terms
but the winner's is the probability that the winner is wrong, given the ballot. So the chance that no step is wrong, given these
ballots, is a product over steps, and a function of the five numbers. Its interval, as those of e and rho, is the range that it
takes where the log-likelihood is within 1.92 of its maximum: the profile likelihood at 95 %.

What no ballots can say. A step on which the samples are wrong always, and always alike, looks like one on which they are right.
So e is kept at 1/2 or less, and the second parameter of the Beta distribution, (1-e)(1/rho - 1), at 1 or more, so that steps do
not pile up at theta = 1. This is an assumption, and only a calibration with a known truth can check it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from maker_graph.errors import UsageError
from maker_graph.statistics.estimation import Estimate

Tally: TypeAlias = tuple[int, ...]
"""The votes of a ballot: the winner's, then those of the other candidates, most first; without a winner just most first."""

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]
Axes: TypeAlias = Sequence[Floats]
"""A grid over the five coordinates: ln e, the square root of rho as a share of its largest value, s, f and g."""

MOST_ERROR = 0.5
"""If samples were wrong more often than right, the ballots would look the same, with right and wrong exchanged."""

DROP = 1.92
"""The log-likelihood at the ends of an interval is so far below its maximum: half of chi-squared's 95 % point."""

_FREE = 0.01  # the weight of Ewens' formula
_NEAR = 1e-4  # shares come so near to 0 and 1, and e so near to 0, as a share of one vote
_GRID = (7, 7, 4, 5, 4)  # points of a grid
_SEARCH = ((15, 11, 4, 5, 4), *[_GRID] * 6, *[(5, 5, 4, 5, 4)] * 12)  # of those that find the best point, one after the other
_FINE = (9, 9, 5, 7, 5)  # of the one on which the ends of intervals are looked for
_ENDS = [(5, 5, 5, 5, 5)] * 8  # and of those that bring them nearer
_SURE = 1 - 1e-15  # wrong, as far as floats go
_STEP = 1e-5  # with which slopes are measured, as a share of the region


class Fit(NamedTuple):
    """What fits the ballots, with intervals at 95 %.

    Attributes:
        error: e, the share of wrong samples, over all steps.
        rho: the correlation of the errors of two samples of one step.
        agreement: how often two wrong samples of one step agree.
        chance: that no decided step is wrong.
        wrong: for each tally of decided steps, how likely its winner is wrong, with the five numbers that fit best.
    """

    error: Estimate
    rho: Estimate
    agreement: Estimate
    chance: Estimate
    wrong: dict[Tally, float]


class _Splits(NamedTuple):
    """How wrong votes fall into parts: the splits, and what is left of them when the favourite's part is taken away.

    Attributes:
        votes: of each row, a split or a rest of one.
        parts: how many parts it has.
        padded: its parts, and 0 up to the largest number of parts.
        ways: ln of (n_1 - 1)! (n_2 - 1)! ...
        whole: the rows of the splits.
        rests: for each of these and each of its parts, the row of the others; its own row for a part that is 0.
    """

    votes: Places
    parts: Places
    padded: Places
    ways: Floats
    whole: Places
    rests: Places


class _Cases(NamedTuple):
    """All tallies, those of decided steps first, and in one row who may be right: each candidate, the winner first, and none.

    Attributes:
        seen: how many ballots have a tally.
        decided: how many steps were decided with it.
        first: where its hypotheses begin.
        tally: of which tally a hypothesis is.
        right: the votes that are right under the hypothesis.
        wrong: the votes that are wrong.
        split: into which of the splits they fall.
        splits: of wrong votes.
    """

    seen: Floats
    decided: Floats
    first: Places
    tally: Places
    right: Places
    wrong: Places
    split: Places
    splits: _Splits


class _View(NamedTuple):
    """What holds at each point of a grid; `chance` is a logarithm, as the likelihood is."""

    likelihood: Floats
    chance: Floats
    error: Floats
    rho: Floats
    agreement: Floats


class _Box(NamedTuple):
    """A range of each coordinate."""

    low: Floats
    high: Floats

    def axes(self, points: Sequence[int], through: Floats) -> Axes:
        """Return a grid over the box, through a point of it: beside the point a narrow likelihood would not be seen."""
        axes = [np.linspace(*each) for each in zip(self.low, self.high, points, strict=True)]
        for axis, each in zip(axes, through, strict=True):
            axis[1 + np.abs(axis[1:-1] - each).argmin()] = each  # the sides stay
        return axes


_Value: TypeAlias = Callable[[_View], Floats]


def fit(decided: Mapping[Tally, int], undecided: Mapping[Tally, int]) -> Fit:
    """Return what fits the tallies, each with its number of steps; `undecided` ones count in the fit, but not in the chance.

    >>> seen = fit({(3,): 960, (4, 1): 40}, {})
    >>> [round(number, 2) for number in seen.chance]
    [1.0, 0.98, 1.0]

    Raises:
        UsageError: no step was decided.
    """
    if not any(decided.values()):
        raise UsageError("No step was decided by a vote: there is nothing to certify.")
    cases = _cases(decided, undecided)
    tiny = _NEAR / float(cases.seen @ (cases.right + cases.wrong)[cases.first])
    whole = _Box(
        np.array([np.log(tiny), 0.0, 0.0, _NEAR, _NEAR]),
        np.array([np.log(MOST_ERROR), 1.0, 1.0 - _NEAR, 1.0 - _NEAR, 1.0 - _NEAR]),
    )
    best, region = _summit(cases, whole)
    least = _at(cases, best).likelihood.item() - DROP

    axes = region.axes(_FINE, best)
    seen = _view(cases, axes)

    def estimate(value: _Value) -> Estimate:
        def end(sign: int) -> float:
            def inside(seen: _View) -> Floats:
                return np.where(seen.likelihood >= least, sign * value(seen), -np.inf)

            values = inside(seen)
            place = np.unravel_index(np.argmax(values), values.shape)
            further = values[place] > sign * at_best
            start = np.array([axis[i] for axis, i in zip(axes, place, strict=True)]) if further else best
            near = _climb(
                cases, region, _within(region, start, (region.high - region.low) / 6), inside, start=start, grids=_ENDS
            )
            scale = abs(value(_at(cases, near)).item() - at_best) or 1.0
            for _ in range(2):  # a second time, as the first may stop short at an edge
                near = _uphill(cases, region, near, lambda seen: sign * value(seen), scale=scale, least=least)
            return value(_at(cases, near)).item()

        at_best = value(_at(cases, best)).item()
        return Estimate(at_best, end(-1), end(1))

    wrong = _posteriors(cases, list(best[:, None]))[1].ravel().tolist()
    return Fit(
        error=Estimate(*(0.0 if end < 2 * tiny else end for end in estimate(lambda seen: seen.error))),
        # Where no sample is wrong, no correlation is to be seen.
        rho=estimate(lambda seen: np.where(seen.error > 2 * tiny, seen.rho, 0.0)),
        agreement=estimate(lambda seen: seen.agreement),
        chance=Estimate(*map(math.exp, estimate(lambda seen: seen.chance))),
        wrong=dict(zip(decided, wrong, strict=False)),
    )


def most_rho(error: Floats) -> Floats:
    """Return the largest correlation with which steps do not pile up at theta = 1: (1-e)(1/rho - 1) = 1."""
    return (1 - error) / (2 - error)


def _cases(decided: Mapping[Tally, int], undecided: Mapping[Tally, int]) -> _Cases:
    """Return the tallies with their hypotheses, those of decided steps first and in order."""
    tallies = list(dict.fromkeys([*decided, *undecided]))
    rows = [
        (place, votes, tuple(sorted(tally[:i] + tally[i + 1 :], reverse=True)))
        for place, tally in enumerate(tallies)
        for i, votes in enumerate([*tally, 0])
    ]
    splits = list(dict.fromkeys(parts for *_, parts in rows))
    places = {parts: place for place, parts in enumerate(splits)}
    return _Cases(
        seen=np.array([float(decided.get(tally, 0) + undecided.get(tally, 0)) for tally in tallies]),
        decided=np.array([float(decided.get(tally, 0)) for tally in tallies]),
        first=np.cumsum([0, *(len(tally) + 1 for tally in tallies[:-1])]),
        tally=np.array([place for place, _, _ in rows]),
        right=np.array([votes for _, votes, _ in rows]),
        wrong=np.array([sum(parts) for *_, parts in rows]),
        split=np.array([places[parts] for *_, parts in rows]),
        splits=_taken_apart(splits),
    )


def _taken_apart(splits: list[Tally]) -> _Splits:
    """Return the splits and what is left of them when a part is taken away."""
    most = max(map(len, splits))
    rests = [[split[:i] + split[i + 1 :] for i in range(most)] for split in splits]
    rows = {split: row for row, split in enumerate(dict.fromkeys([*splits, *(rest for some in rests for rest in some)]))}
    return _Splits(
        votes=np.array([sum(split) for split in rows]),
        parts=np.array([len(split) for split in rows]),
        padded=np.array([[*split, *[0] * (most - len(split))] for split in rows]),
        ways=np.array([sum(map(math.lgamma, split)) for split in rows]),
        whole=np.array([rows[split] for split in splits]),
        rests=np.array([[rows[rest] for rest in some] for some in rests]),
    )


def _at(cases: _Cases, point: Floats) -> _View:
    """Return what holds at one point."""
    return _view(cases, list(point[:, None]))


def _view(cases: _Cases, axes: Axes) -> _View:
    """Return what holds on a grid."""
    error, root, single, favourite, others = np.meshgrid(np.exp(axes[0]), *axes[1:], indexing="ij", sparse=True)
    likely, wrong = _posteriors(cases, axes)
    covered = cases.decided > 0
    shape = [len(axis) for axis in axes]
    return _View(
        likelihood=np.tensordot(cases.seen, likely, 1).reshape(shape),
        chance=np.tensordot(cases.decided[covered], np.log1p(-wrong[covered]), 1).reshape(shape),
        error=np.broadcast_to(error, shape),
        rho=np.broadcast_to(most_rho(error) * root**2, shape),
        agreement=np.broadcast_to(single + (1 - single) * (favourite**2 + (1 - favourite) ** 2 * others), shape),
    )


def _posteriors(cases: _Cases, axes: Axes) -> tuple[Floats, Floats]:
    """Return for each tally, over (e, rho) and (s, f, g): a ballot's log-likelihood, and how likely its winner is wrong."""
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


def _splits(splits: _Splits, single: Floats, favourite: Floats, others: Floats) -> Floats:
    """Return how likely wrong votes fall into each of the splits, in rows, for each triple of s, f and g."""
    scattered = (1 - _FREE) * _evenly(splits, others) + _FREE * _freely(splits, others)
    counts = np.arange(splits.votes.max() + 1)[:, None]
    hits, misses = favourite**counts, (1 - favourite) ** counts
    hits[0] = 0.0  # a part that is none
    parts, votes = splits.padded[splits.whole], splits.votes[splits.whole]
    without = misses[votes] * scattered[splits.whole]
    many = without + (hits[parts] * misses[votes[:, None] - parts] * scattered[splits.rests]).sum(axis=1)
    likely: Floats = single * (splits.parts[splits.whole] <= 1)[:, None] + (1 - single) * many
    return likely


def _freely(splits: _Splits, agreement: Floats) -> Floats:
    """Return how likely the rows are by Ewens' formula, t^parts (n_1 - 1)! ... / (t (t + 1) ... (t + votes - 1))."""
    t = 1 / agreement - 1
    rising = _rising(t, np.ones_like(t), int(splits.votes.max()))[splits.votes]
    likely: Floats = np.exp(splits.ways[:, None] + splits.parts[:, None] * np.log(t) - rising)
    return likely


def _evenly(splits: _Splits, agreement: Floats) -> Floats:
    """Return how likely the rows are where m answers are equally frequent, and one more is at most as frequent."""
    m = np.floor(1 / agreement)
    share = (m + np.sqrt(np.maximum(0.0, m**2 - (m + m**2) * (1 - agreement)))) / (m + m**2)
    last = np.maximum(0.0, 1 - m * share) / share
    choices = np.cumprod(np.vstack([np.ones_like(m), np.maximum(0.0, m - np.arange(splits.parts.max())[:, None])]), axis=0)
    powers = np.vstack([np.zeros_like(last), last ** np.arange(1, splits.votes.max() + 1)[:, None]])
    with_last = choices[np.maximum(splits.parts - 1, 0)] * powers[splits.padded].sum(axis=1)
    likely: Floats = share ** splits.votes[:, None] * (choices[splits.parts] + with_last)
    return likely


def _within(whole: _Box, point: Floats, reach: Floats) -> _Box:
    """Return what of `whole` is within `reach` of a point of it."""
    return _Box(np.maximum(whole.low, point - reach), np.minimum(whole.high, point + reach))


def _likelihood(seen: _View) -> Floats:
    return seen.likelihood


def _climb(cases: _Cases, whole: _Box, box: _Box, value: _Value, *, start: Floats, grids: Sequence[Sequence[int]]) -> Floats:
    """Return about where `value` is largest: the best point of a grid over `box`, then of finer ones around the best so far."""
    best, most = start, value(_at(cases, start)).item()
    for points in grids:
        axes = box.axes(points, best)
        values = value(_view(cases, axes))
        place = np.unravel_index(np.argmax(values), values.shape)
        if values[place] > most:
            best, most = np.array([axis[i] for axis, i in zip(axes, place, strict=True)]), values[place]
        reach = 1.5 * (box.high - box.low) / (np.array(points) - 1)
        box = _within(whole, best, reach)
    return best


def _uphill(cases: _Cases, box: _Box, start: Floats, value: _Value, *, scale: float, least: float | None = None) -> Floats:
    """Return where in the box `value` is largest while the likelihood is at least `least`, going uphill from `start`."""
    size = box.high - box.low

    @cache
    def slopes(*place: float) -> tuple[Floats, Floats]:
        ahead = [-_STEP if each > 0.5 else _STEP for each in place]
        seen = _view(cases, [box.low[i] + size[i] * np.array([place[i], place[i] + ahead[i]]) for i in range(5)])

        def slope(values: Floats) -> Floats:
            here = values[0, 0, 0, 0, 0]
            return np.array([here, *((values[tuple(np.eye(5, dtype=int)[i])] - here) / ahead[i] for i in range(5))])

        return slope(value(seen)) / scale, slope(seen.likelihood) - (least or 0.0) * np.eye(6)[0]

    floor = {"type": "ineq", "fun": lambda place: slopes(*place)[1][0], "jac": lambda place: slopes(*place)[1][1:]}
    found = minimize(
        lambda place: -slopes(*place)[0][0],
        (start - box.low) / size,
        jac=lambda place: -slopes(*place)[0][1:],
        bounds=[(0.0, 1.0)] * 5,
        constraints=[] if least is None else [floor],
        method="SLSQP",
        options={"maxiter": 40, "ftol": 1e-4},
    )
    point: Floats = box.low + size * np.clip(found.x, 0.0, 1.0)
    before, after = _at(cases, start), _at(cases, point)
    better = value(after).item() > value(before).item() and (least is None or after.likelihood.item() >= least - 0.01)
    return point if better else start


def _summit(cases: _Cases, whole: _Box) -> tuple[Floats, _Box]:
    """Return where the likelihood is largest, and a box around all that is nearly as likely, in which nothing is more so."""
    best = _climb(cases, whole, whole, _likelihood, start=whole.low, grids=_SEARCH)
    for _ in range(20):  # ballots that no numbers fit well have several peaks
        most = _at(cases, best).likelihood.item()
        region = _region(cases, whole, best, most - DROP)
        start = _uphill(cases, region, best, _likelihood, scale=1.0)
        best = _climb(cases, region, region, _likelihood, start=start, grids=(_FINE, *_ENDS))
        if _at(cases, best).likelihood.item() < most + 0.1:
            break
    return best, region


def _region(cases: _Cases, whole: _Box, best: Floats, least: float) -> _Box:
    """Return a box around the points whose likelihood is at least `least`: one that grows while there are any on its sides."""
    size = 1e-4 * (whole.high - whole.low)
    box = _within(whole, best, size)
    while True:
        inside = _view(cases, box.axes(_GRID, best)).likelihood >= least
        sides = [np.moveaxis(inside, i, 0) for i in range(5)]
        size = box.high - box.low
        low = np.maximum(whole.low, box.low - size * [side[0].any() for side in sides])
        high = np.minimum(whole.high, box.high + size * [side[-1].any() for side in sides])
        if (low == box.low).all() and (high == box.high).all():
            return box
        box = _Box(low, high)
