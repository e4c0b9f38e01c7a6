"""What ballots alone, without known truth, say about a run: how often samples are wrong, and how likely no step is wrong.

The likelihood of the ballots (`likelihood.py`) and the chance that no step is wrong are functions of five numbers, which are
fitted here. The interval of the chance, like those of e and rho, is the range of its values where the log-likelihood is within
1.92 of its maximum: the profile likelihood at 95 %.

Ballots cannot show everything. A step on which the samples are always wrong, and always in the same way, looks like a step on
which they are right. So e is kept at 1/2 or less. The second parameter of the Beta distribution, (1-e)(1/rho - 1), is kept at 1
or more, so that steps do not pile up at theta = 1. This is an assumption, and only a calibration with known truth can check it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.optimize import minimize

from maker_graph.errors import UsageError
from maker_graph.statistics.estimation import Estimate
from maker_graph.statistics.likelihood import (
    Axes,
    Cases,
    Floats,
    Tally,
    View,
    at_point,
    cases_of,
    on_grid,
    posteriors,
)

MOST_ERROR = 0.5
"""The largest error rate. Above it the ballots would look the same, with right and wrong exchanged."""

DROP = 1.92
"""How far the log-likelihood at the ends of an interval is below its maximum: half of chi-squared's 95 % point."""

_NEAR = 1e-4  # how near shares come to 0 and 1; e comes so near to 0, as a share of one vote
_GRID = (7, 7, 4, 5, 4)  # the points of a grid
_SEARCH = ((15, 11, 4, 5, 4), *[_GRID] * 6, *[(5, 5, 4, 5, 4)] * 12)  # the grids that find the best point, one after the other
_FINE = (9, 9, 5, 7, 5)  # the grid on which the ends of intervals are looked for
_ENDS = [(5, 5, 5, 5, 5)] * 8  # the grids that refine these ends
_STEP = 1e-5  # the step with which slopes are measured, as a share of the region


class Fit(NamedTuple):
    """The numbers that fit the ballots best, with intervals at 95 %.

    Attributes:
        error: e, the share of wrong samples, over all steps.
        rho: the correlation of the errors of two samples of one step.
        agreement: how often two wrong samples of one step agree.
        chance: the chance that no decided step is wrong.
        wrong: for each tally of decided steps, the probability that its winner is wrong, at the best fit.
    """

    error: Estimate
    rho: Estimate
    agreement: Estimate
    chance: Estimate
    wrong: dict[Tally, float]


class _Box(NamedTuple):
    """A range for each coordinate."""

    low: Floats
    high: Floats

    def axes(self, points: Sequence[int], through: Floats) -> Axes:
        """Return a grid over the box that runs through a point of it, so that a narrow peak there is not missed."""
        axes = [np.linspace(*each) for each in zip(self.low, self.high, points, strict=True)]
        for axis, each in zip(axes, through, strict=True):
            axis[1 + np.abs(axis[1:-1] - each).argmin()] = each  # the sides stay
        return axes


_Value: TypeAlias = Callable[[View], Floats]


def fit(decided: Mapping[Tally, int], undecided: Mapping[Tally, int]) -> Fit:
    """Return the best fit to the tallies, each given with its number of steps.

    `undecided` tallies count in the fit, but not in the chance.

    >>> seen = fit({(3,): 960, (4, 1): 40}, {})
    >>> [round(number, 2) for number in seen.chance]
    [1.0, 0.98, 1.0]

    Raises:
        UsageError: no step was decided.
    """
    if not any(decided.values()):
        raise UsageError("No step was decided by a vote: there is nothing to certify.")
    cases = cases_of(decided, undecided)
    tiny = _NEAR / float(cases.seen @ (cases.right + cases.wrong)[cases.first])
    whole = _Box(
        np.array([np.log(tiny), 0.0, 0.0, _NEAR, _NEAR]),
        np.array([np.log(MOST_ERROR), 1.0, 1.0 - _NEAR, 1.0 - _NEAR, 1.0 - _NEAR]),
    )
    best, region = _summit(cases, whole)
    least = at_point(cases, best).likelihood.item() - DROP

    axes = region.axes(_FINE, best)
    seen = on_grid(cases, axes)

    def estimate(value: _Value) -> Estimate:
        def end(sign: int) -> float:
            def inside(seen: View) -> Floats:
                return np.where(seen.likelihood >= least, sign * value(seen), -np.inf)

            values = inside(seen)
            place = np.unravel_index(np.argmax(values), values.shape)
            further = values[place] > sign * at_best
            start = np.array([axis[i] for axis, i in zip(axes, place, strict=True)]) if further else best
            near = _climb(
                cases, region, _within(region, start, (region.high - region.low) / 6), inside, start=start, grids=_ENDS
            )
            scale = abs(value(at_point(cases, near)).item() - at_best) or 1.0
            for _ in range(2):  # twice, because the first search may stop short at an edge
                near = _uphill(cases, region, near, lambda seen: sign * value(seen), scale=scale, least=least)
            return value(at_point(cases, near)).item()

        at_best = value(at_point(cases, best)).item()
        return Estimate(at_best, end(-1), end(1))

    wrong = posteriors(cases, list(best[:, None]))[1].ravel().tolist()
    return Fit(
        error=Estimate(*(0.0 if end < 2 * tiny else end for end in estimate(lambda seen: seen.error))),
        # If no sample is wrong, no correlation shows.
        rho=estimate(lambda seen: np.where(seen.error > 2 * tiny, seen.rho, 0.0)),
        agreement=estimate(lambda seen: seen.agreement),
        chance=Estimate(*map(math.exp, estimate(lambda seen: seen.chance))),
        wrong=dict(zip(decided, wrong, strict=False)),
    )


def _within(whole: _Box, point: Floats, reach: Floats) -> _Box:
    """Return the part of `whole` that is within `reach` of a point of it."""
    return _Box(np.maximum(whole.low, point - reach), np.minimum(whole.high, point + reach))


def _likelihood(seen: View) -> Floats:
    return seen.likelihood


def _climb(cases: Cases, whole: _Box, box: _Box, value: _Value, *, start: Floats, grids: Sequence[Sequence[int]]) -> Floats:
    """Return about where `value` is largest: the best point of a grid over `box`, and then of finer grids around it."""
    best, most = start, value(at_point(cases, start)).item()
    for points in grids:
        axes = box.axes(points, best)
        values = value(on_grid(cases, axes))
        place = np.unravel_index(np.argmax(values), values.shape)
        if values[place] > most:
            best, most = np.array([axis[i] for axis, i in zip(axes, place, strict=True)]), values[place]
        reach = 1.5 * (box.high - box.low) / (np.array(points) - 1)
        box = _within(whole, best, reach)
    return best


def _uphill(cases: Cases, box: _Box, start: Floats, value: _Value, *, scale: float, least: float | None = None) -> Floats:
    """Return where in the box `value` is largest while the likelihood is at least `least`, going uphill from `start`."""
    size = box.high - box.low

    @cache
    def slopes(*place: float) -> tuple[Floats, Floats]:
        ahead = [-_STEP if each > 0.5 else _STEP for each in place]
        seen = on_grid(cases, [box.low[i] + size[i] * np.array([place[i], place[i] + ahead[i]]) for i in range(5)])

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
    before, after = at_point(cases, start), at_point(cases, point)
    better = value(after).item() > value(before).item() and (least is None or after.likelihood.item() >= least - 0.01)
    return point if better else start


def _summit(cases: Cases, whole: _Box) -> tuple[Floats, _Box]:
    """Return where the likelihood is largest, and a box around all points that are nearly as likely."""
    best = _climb(cases, whole, whole, _likelihood, start=whole.low, grids=_SEARCH)
    for _ in range(20):  # ballots that no numbers fit well have several peaks
        most = at_point(cases, best).likelihood.item()
        region = _region(cases, whole, best, most - DROP)
        start = _uphill(cases, region, best, _likelihood, scale=1.0)
        best = _climb(cases, region, region, _likelihood, start=start, grids=(_FINE, *_ENDS))
        if at_point(cases, best).likelihood.item() < most + 0.1:
            break
    return best, region


def _region(cases: Cases, whole: _Box, best: Floats, least: float) -> _Box:
    """Return a box around the points whose likelihood is at least `least`: it grows while such points are on its sides."""
    size = 1e-4 * (whole.high - whole.low)
    box = _within(whole, best, size)
    while True:
        inside = on_grid(cases, box.axes(_GRID, best)).likelihood >= least
        sides = [np.moveaxis(inside, i, 0) for i in range(5)]
        size = box.high - box.low
        low = np.maximum(whole.low, box.low - size * [side[0].any() for side in sides])
        high = np.minimum(whole.high, box.high + size * [side[-1].any() for side in sides])
        if (low == box.low).all() and (high == box.high).all():
            return box
        box = _Box(low, high)
