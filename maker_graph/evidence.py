"""What the ballots of a run say about its steps, without any truth: how often samples are wrong, and how likely no step is.

The steps are those of `core/correlated.py`: the share of wrong samples of a step, theta, is drawn from a Beta distribution with
mean e and within-step correlation rho, and valid samples of one step err independently at that rate. That a samples are right
and b are wrong, in a given order, has the probability

    E[(1-theta)^a theta^b] = [(1-e)(1-rho)]_a [e(1-rho)]_b / [1-rho]_(a+b),  [x]_n = x (x + rho) ... (x + (n-1) rho),

which holds at rho = 0 as well (Skellam, J. R. Stat. Soc. B 10, 1948, in other letters).

How wrong votes split. Two wrong votes of one step agree with probability c. That alone does not say how often more of them do,
which is what makes a wrong winner. With the same c it is least where m answers are equally frequent (one more at most as
frequent as they), most where on a share c of the steps all wrong votes agree and on the others none. Between the two is the
series f, (1-f) f, (1-f)^2 f, ... of shares, c = f / (2-f), f the `rival` of `core/race.py`. A number h runs from -1 over 0, the
series, to 1: below 0 the first is mixed into the series, with weight -h; above, on a share s = c h of the steps all wrong votes
agree, and on the others they follow the series with what is left of c. c = 1 is the worst case, a single rival.

Who is right. Each candidate of a ballot may be, or none. With a of its N votes a candidate gives the ballot the probability
E[(1-theta)^a theta^(N-a)], times how likely the others fall into their parts; "none" has a = 0. The sum is the likelihood of
the ballot as far as it depends on e, rho, c and h, for when to stop was decided by the votes alone. The share of all terms but
the winner's is the probability that the winner is wrong, given the ballot. So the chance that no step is wrong, given these
ballots, is a product over steps, and a function of the four numbers. Its interval, as theirs, is the range that it takes where
the log-likelihood is within 1.92 of its maximum: the profile likelihood at 95 %.

What no ballots can say. A step on which the samples are wrong always, and always alike, looks like one on which they are right.
So e is kept at 1/2 or less, and the second parameter of the Beta distribution, (1-e)(1/rho - 1), at 1 or more, so that steps do
not pile up at theta = 1. This is an assumption, and only a calibration with a known truth can check it.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from maker_graph.errors import UsageError
from maker_graph.estimation import Estimate

Tally: TypeAlias = tuple[int, ...]
"""The votes of a ballot: the winner's, then those of the other candidates, most first; without a winner just most first."""

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]
Axes: TypeAlias = Sequence[Floats]
"""A grid over the four coordinates: ln e, the square root of rho as a share of its largest value, c, and h."""

MOST_ERROR = 0.5
"""If samples were wrong more often than right, the ballots would look the same, with right and wrong exchanged."""

DROP = 1.92
"""The log-likelihood at the ends of an interval is so far below its maximum: half of chi-squared's 95 % point."""

_NEAR = 1e-4  # shares come so near to 0 and 1, and e so near to 0, as a share of one vote
_GRID = (7, 7, 5, 5)  # points of a grid
_SEARCH = ((17, 13, 5, 5), *[_GRID] * 6, *[(5, 5, 5, 5)] * 12)  # of those, one after the other, that find the best point
_FINE = (9, 9, 7, 7)  # points of the grid on which the ends of intervals are looked for
_STEP = 1e-5  # with which slopes are measured, as a share of the region


class Fit(NamedTuple):
    """What fits the ballots, with intervals at 95 %.

    Attributes:
        error: e, the share of wrong samples, over all steps.
        rho: the correlation of the errors of two samples of one step.
        agreement: c, how often two wrong samples of one step agree.
        chance: that no decided step is wrong.
        wrong: for each tally of decided steps, how likely its winner is wrong, with the four numbers that fit best.
    """

    error: Estimate
    rho: Estimate
    agreement: Estimate
    chance: Estimate
    wrong: dict[Tally, float]


class _Case(NamedTuple):
    """A tally, and who may be right about it: each of its candidates, the winner first, and none.

    Attributes:
        seen: how many ballots have it.
        decided: how many steps were decided with it.
        right: the votes that are right, under each hypothesis.
        wrong: the votes that are wrong.
        split: into which of the splits they fall.
    """

    seen: int
    decided: int
    right: list[int]
    wrong: list[int]
    split: list[int]


class _Cases(NamedTuple):
    """All tallies, those of decided steps first, and the splits: parts into which wrong votes fall, most first."""

    cases: list[_Case]
    splits: list[Tally]


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

    def axes(self, points: Sequence[int]) -> Axes:
        """Return a grid over the box, its sides included."""
        return [np.linspace(*each) for each in zip(self.low, self.high, points, strict=True)]


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
    tiny = _NEAR / sum(case.seen * case.wrong[-1] for case in cases.cases)
    whole = _Box(
        np.array([np.log(tiny), 0.0, _NEAR, _NEAR - 1.0]), np.array([np.log(MOST_ERROR), 1.0, 1.0 - _NEAR, 1.0 - _NEAR])
    )
    start = _climb(cases, whole)
    region = _region(cases, whole, start, _at(cases, start).likelihood.item() - DROP)
    best = _uphill(cases, region, start, lambda seen: seen.likelihood, scale=1.0)
    least = _at(cases, best).likelihood.item() - DROP
    grid = region.axes(_FINE)
    seen = _view(cases, grid)
    inside = seen.likelihood >= least

    def estimate(value: _Value) -> Estimate:
        at_best, values = value(_at(cases, best)).item(), value(seen)
        spread = float(np.ptp([at_best, *values[inside]])) or 1.0

        def end(sign: int) -> float:
            place = np.unravel_index(np.argmax(np.where(inside, sign * values, -np.inf)), values.shape)
            corner = np.array([axis[i] for axis, i in zip(grid, place, strict=True)])
            start = corner if inside[place] and sign * values[place] > sign * at_best else best
            found = _uphill(cases, region, start, lambda seen: sign * value(seen), scale=spread, least=least)
            return value(_at(cases, found)).item()

        return Estimate(at_best, end(-1), end(1))

    wrong = [share.item() for _, share in _posteriors(cases, [best[i : i + 1] for i in range(4)])]
    return Fit(
        error=Estimate(*(0.0 if end < 2 * tiny else end for end in estimate(lambda seen: seen.error))),
        # Where no sample is wrong, no correlation is to be seen.
        rho=estimate(lambda seen: np.where(seen.error > 2 * tiny, seen.rho, 0.0)),
        agreement=estimate(lambda seen: (seen.agreement - _NEAR) / (1 - 2 * _NEAR)),
        chance=Estimate(*map(math.exp, estimate(lambda seen: seen.chance))),
        wrong=dict(zip(decided, wrong, strict=False)),
    )


def most_rho(error: Floats) -> Floats:
    """Return the largest correlation with which steps do not pile up at theta = 1: (1-e)(1/rho - 1) = 1."""
    return (1 - error) / (2 - error)


def _cases(decided: Mapping[Tally, int], undecided: Mapping[Tally, int]) -> _Cases:
    """Return the tallies with their hypotheses, those of decided steps first and in order."""
    splits: dict[Tally, int] = {}
    cases = []
    for tally in dict.fromkeys([*decided, *undecided]):
        right = [*tally, 0]
        parts = [tuple(sorted(tally[:i] + tally[i + 1 :], reverse=True)) for i in range(len(right))]
        places = [splits.setdefault(each, len(splits)) for each in parts]
        cases.append(
            _Case(decided.get(tally, 0) + undecided.get(tally, 0), decided.get(tally, 0), right, [*map(sum, parts)], places)
        )
    return _Cases(cases, list(splits))


def _at(cases: _Cases, point: Floats) -> _View:
    """Return what holds at one point."""
    return _view(cases, [point[i : i + 1] for i in range(4)])


def _view(cases: _Cases, axes: Axes) -> _View:
    """Return what holds on a grid."""
    shape = [len(axis) for axis in axes]
    error = np.broadcast_to(np.exp(axes[0])[:, None, None, None], shape)
    rho = most_rho(error) * (axes[1] ** 2)[None, :, None, None]
    likelihood, chance = np.zeros(shape), np.zeros(shape)
    for case, (log_likely, wrong) in zip(cases.cases, _posteriors(cases, axes), strict=True):
        likelihood += case.seen * log_likely.reshape(shape)
        if case.decided:
            chance += case.decided * np.log1p(-wrong).reshape(shape)
    return _View(likelihood, chance, error, rho, np.broadcast_to(axes[2][:, None], shape))


def _posteriors(cases: _Cases, axes: Axes) -> Iterator[tuple[Floats, Floats]]:
    """Yield for each tally, over (e, rho) and (c, h): the log-likelihood of a ballot, and how likely its winner is wrong."""
    error, root = (axis.ravel() for axis in np.meshgrid(np.exp(axes[0]), axes[1], indexing="ij"))
    rho = most_rho(error) * root**2
    votes = max(case.wrong[-1] for case in cases.cases)
    right, wrong, both = (_rising(x * (1 - rho), rho, votes) for x in (1 - error, error, np.ones_like(error)))
    splits = _splits(cases.splits, *(axis.ravel() for axis in np.meshgrid(axes[2], axes[3], indexing="ij")))
    for case in cases.cases:
        logs = right[case.right] + wrong[case.wrong] - both[case.wrong[-1]]
        most = logs.max(axis=0)
        shares = np.exp(logs - most)
        lost = shares[1:].T @ splits[case.split[1:]]
        total = lost + np.outer(shares[0], splits[case.split[0]])
        with np.errstate(divide="ignore", invalid="ignore"):
            yield np.log(total) + most[:, None], np.where(total > 0, lost / total, 1.0)


def _rising(start: Floats, step: Floats, most: int) -> Floats:
    """Return ln of x (x + step) ... (x + (n-1) step) for each n up to `most`, in rows."""
    logs = np.log(start + step * np.arange(most)[:, None])
    return np.concatenate([np.zeros((1, len(start))), np.cumsum(logs, axis=0)])


def _splits(splits: Sequence[Tally], agreement: Floats, unlike: Floats) -> Floats:
    """Return how likely wrong votes fall into each of the `splits`, in rows, for each pair of c and h."""
    alike, even = agreement * np.maximum(unlike, 0.0), np.maximum(-unlike, 0.0)
    votes, parts = np.array([sum(split) for split in splits]), np.array([len(split) for split in splits])
    others = (1 - even) * _falling(splits, votes, (agreement - alike) / (1 - alike)) + even * _evenly(
        splits, votes, parts, agreement
    )
    return alike * (parts <= 1)[:, None] + (1 - alike) * others


def _falling(splits: Sequence[Tally], votes: Places, agreement: Floats) -> Floats:
    """Return how likely the splits are where each answer gets the same share f of what the more frequent ones leave.

    It is f^N G for N votes, where (1 - (1-f)^N) G of the split is the sum, over which part is the most frequent answer's, of
    (1-f)^(N') G of the other parts, N' votes: the geometric series over all answers, one part at a time.
    """
    favourite = 2 * agreement / (1 + agreement)
    counts = np.arange(1, votes.max() + 1)[:, None]
    left = (1 - favourite) ** np.vstack([[[0]], counts])
    series = 1 / -np.expm1(counts * np.log1p(-favourite))
    known: dict[Tally, Floats] = {(): np.ones_like(favourite)}

    def sums(split: Tally) -> Floats:
        if split not in known:
            number = sum(split)
            first = (left[number - n] * sums(split[:i] + split[i + 1 :]) for i, n in enumerate(split))
            known[split] = series[number - 1] * sum(first)
        return known[split]

    together: Floats = favourite ** votes[:, None] * np.array([sums(split) for split in splits])
    return together


def _evenly(splits: Sequence[Tally], votes: Places, parts: Places, agreement: Floats) -> Floats:
    """Return how likely the splits are where m answers are equally frequent, and one more is at most as frequent."""
    m = np.floor(1 / agreement)
    share = (m + np.sqrt(np.maximum(0.0, m**2 - (m + m**2) * (1 - agreement)))) / (m + m**2)
    last = np.maximum(0.0, 1 - m * share) / share
    choices = np.cumprod(np.vstack([np.ones_like(m), *(np.maximum(0.0, m - i) for i in range(parts.max()))]), axis=0)
    powers = np.vstack([np.zeros_like(last), last ** np.arange(1, votes.max() + 1)[:, None]])
    padded = np.array([[*split, *[0] * (parts.max() - len(split))] for split in splits], dtype=np.intp)
    with_last = choices[np.maximum(parts - 1, 0)] * powers[padded].sum(axis=1)
    likely: Floats = share ** votes[:, None] * (choices[parts] + with_last)
    return likely


def _climb(cases: _Cases, whole: _Box) -> Floats:
    """Return about where the likelihood is largest: the best point of a grid, then of finer and finer ones around the best."""
    best, most, box = whole.low, -np.inf, whole
    for points in _SEARCH:
        axes = box.axes(points)
        values = _view(cases, axes).likelihood
        place = np.unravel_index(np.argmax(values), values.shape)
        if values[place] > most:
            best, most = np.array([axis[i] for axis, i in zip(axes, place, strict=True)]), values[place]
        cells = 1.5 * (box.high - box.low) / (np.array(points) - 1)
        box = _Box(np.maximum(whole.low, best - cells), np.minimum(whole.high, best + cells))
    return best


def _uphill(cases: _Cases, box: _Box, start: Floats, value: _Value, *, scale: float, least: float | None = None) -> Floats:
    """Return where in the box `value` is largest while the likelihood is at least `least`, going uphill from `start`."""
    size = box.high - box.low

    @cache
    def slopes(*place: float) -> tuple[Floats, Floats]:
        ahead = [-_STEP if each > 0.5 else _STEP for each in place]
        seen = _view(cases, [box.low[i] + size[i] * np.array([place[i], place[i] + ahead[i]]) for i in range(4)])

        def slope(values: Floats) -> Floats:
            here = values[0, 0, 0, 0]
            return np.array([here, *((values[tuple(np.eye(4, dtype=int)[i])] - here) / ahead[i] for i in range(4))])

        return slope(value(seen)) / scale, slope(seen.likelihood) - (least or 0.0) * np.eye(5)[0]

    floor = {"type": "ineq", "fun": lambda place: slopes(*place)[1][0], "jac": lambda place: slopes(*place)[1][1:]}
    found = minimize(
        lambda place: -slopes(*place)[0][0],
        (start - box.low) / size,
        jac=lambda place: -slopes(*place)[0][1:],
        bounds=[(0.0, 1.0)] * 4,
        constraints=[] if least is None else [floor],
        method="SLSQP",
        options={"maxiter": 40, "ftol": 1e-4},
    )
    point: Floats = box.low + size * np.clip(found.x, 0.0, 1.0)
    before, after = _at(cases, start), _at(cases, point)
    better = value(after).item() > value(before).item() and (least is None or after.likelihood.item() >= least - 0.01)
    return point if better else start


def _region(cases: _Cases, whole: _Box, best: Floats, least: float) -> _Box:
    """Return a box around the points whose likelihood is at least `least`: one that grows while there are any on its sides."""
    size = 1e-4 * (whole.high - whole.low)
    box = _Box(np.maximum(whole.low, best - size), np.minimum(whole.high, best + size))
    while True:
        inside = _view(cases, box.axes(_GRID)).likelihood >= least
        sides = [np.moveaxis(inside, i, 0) for i in range(4)]
        size = box.high - box.low
        low = np.maximum(whole.low, box.low - size * [side[0].any() for side in sides])
        high = np.minimum(whole.high, box.high + size * [side[-1].any() for side in sides])
        if (low == box.low).all() and (high == box.high).all():
            return box
        box = _Box(low, high)
