"""From right and wrong samples of many steps to a model's error rate and the correlation of its errors, with intervals.

The model is that of `correlated.py`: each step has its own error rate theta, drawn from a Beta distribution with mean
e = 1 - p and within-step correlation rho. Samples of one step err independently at that rate. The data are counts of steps: how
many had v valid samples of which w were wrong.

The share of wrong samples, e. Samples of one step are not independent, so n of them are worth n / D independent ones, with the
design effect D = 1 + (m - 1) rho, where m = sum v^2 / sum v. The interval is Clopper and Pearson's exact interval for this
effective number (Korn and Graubard, Survey Methodology 24, 1998). With rho = 0 it is their interval unchanged.

The correlation, rho. Two samples of one step are both wrong with probability e^2 + rho e (1 - e). The pairs within steps give
the estimate. Pairs that are both wrong are rare: a handful in a thousand steps. A bootstrap that draws the steps again knows
only the pairs that were seen, and if none was seen it claims that rho is certainly 0. So the bootstrap is parametric and
inverted. The interval holds every rho under which a calibration like this one would give an estimate at least as large as the
one seen, and one at least as small, in at least one case of forty.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, betabinom

from maker_graph.errors import UsageError

Counts: TypeAlias = Mapping[tuple[int, int], int]
"""(valid samples, wrong ones among them) -> steps."""

LEVEL = 0.95
"""The confidence of all intervals."""

REPLICATIONS = 4_000
"""How many replications the bootstrap makes for each correlation that is tried."""

MOST_RHO = 0.999
"""No larger correlation is tried, because here nearly all samples of a step are alike already."""


class Estimate(NamedTuple):
    """An estimate and its interval at `LEVEL`."""

    value: float
    low: float
    high: float


class Errors(NamedTuple):
    """How often valid samples are wrong, over all steps, and the correlation of two samples of one step."""

    error: Estimate
    rho: Estimate


def share(hits: float, of: float) -> Estimate:
    """Return the share `hits / of` with Clopper and Pearson's interval; both may be fractions, for effective numbers.

    >>> [round(end, 6) for end in share(4, 2000)]
    [0.002, 0.000545, 0.005113]

    Raises:
        UsageError: there is nothing to take a share of.
    """
    if of <= 0:
        raise UsageError("There is no valid sample to estimate anything from.")
    tail = (1 - LEVEL) / 2
    low = float(beta.ppf(tail, hits, of - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, of - hits)) if hits < of else 1.0
    return Estimate(hits / of, low, high)


def errors(counts: Counts, *, seed: int = 0) -> Errors:
    """Return the error rate and the correlation that `counts` show.

    Steps with fewer than two valid samples say nothing about the correlation. If there are no others, its interval is 0 to 1.

    Raises:
        UsageError: there is no valid sample.
    """
    return Errors(error_rate(counts), correlation(counts, seed=seed))


def error_rate(counts: Counts) -> Estimate:
    """Return the share of valid samples that are wrong. The interval allows for the correlation of the samples of one step.

    Raises:
        UsageError: there is no valid sample.
    """
    valid = sum(v * steps for (v, _), steps in counts.items())
    wrong = sum(w * steps for (_, w), steps in counts.items())
    data = _by_samples(counts)
    rho = float(_from_pairs(data)[0]) if data else 0.0
    each = sum(v * v * steps for (v, _), steps in counts.items()) / max(valid, 1)
    effect = 1 + max(each - 1, 0.0) * max(rho, 0.0)
    return share(wrong / effect, valid / effect)


def correlation(counts: Counts, *, seed: int = 0) -> Estimate:
    """Return the correlation of the errors of two samples of one step; at least 0."""
    data = _by_samples(counts)
    valid = sum(v * steps for (v, _), steps in counts.items())
    error = sum(w * steps for (_, w), steps in counts.items()) / max(valid, 1)
    if not data or error in {0.0, 1.0}:
        return Estimate(0.0, 0.0, 1.0)  # the samples say nothing about the correlation
    seen = float(_from_pairs(data)[0])
    tail = (1 - LEVEL) / 2

    def beyond(rho: float, *, above: bool) -> float:
        """Return how likely an estimate at least as large (or small) as the one seen is, if the correlation is `rho`."""
        rng = np.random.default_rng(seed)  # the same for each rho, so that the result changes smoothly with rho
        made = _from_pairs([_made(rng, each, error, rho) for each in data])
        return float(np.mean(made >= seen - 1e-12 if above else made <= seen + 1e-12))

    def end(*, above: bool) -> float:
        inside, outside = (1.0, 0.0) if above else (0.0, 1.0)  # a rho where the estimate is likely, and one where it is not
        if beyond(min(outside, MOST_RHO), above=above) >= tail:
            return outside
        for _ in range(20):
            middle = (inside + outside) / 2
            likely = beyond(min(middle, MOST_RHO), above=above) >= tail
            inside, outside = (middle, outside) if likely else (inside, middle)
        return (inside + outside) / 2

    return Estimate(min(1.0, max(0.0, seen)), end(above=True), end(above=False))


def _by_samples(counts: Counts) -> list[NDArray[np.int64]]:
    """Return one row for each number of valid samples from 2 up: how many steps had 0, 1, 2 ... wrong ones."""
    sizes = sorted({v for v, _ in counts if v >= 2})
    return [np.array([[counts.get((v, w), 0) for w in range(v + 1)]]) for v in sizes]


def _made(rng: np.random.Generator, data: NDArray[np.int64], error: float, rho: float) -> NDArray[np.int64]:
    """Return replications of `data`, a row of steps by their number of wrong samples: as many steps, drawn again."""
    samples = data.shape[1] - 1
    wrong = np.arange(samples + 1)
    weight = 1 / max(rho, 1e-9) - 1
    likely = betabinom.pmf(wrong, samples, error * weight, (1 - error) * weight)
    return rng.multinomial(int(data.sum()), likely / likely.sum(), size=REPLICATIONS)


def _from_pairs(data: list[NDArray[np.int64]]) -> NDArray[np.float64]:
    """Return the correlation that each row of `data` shows in its pairs of samples of one step; -1 if it cannot show any."""
    rows = data[0].shape[0]
    pairs = both = samples = wrong = np.zeros(rows)
    for each in data:
        number = each.shape[1] - 1
        w = np.arange(number + 1)
        steps = each.sum(axis=1)
        pairs = pairs + steps * (number * (number - 1) / 2)
        both = both + each @ (w * (w - 1) / 2)
        samples = samples + steps * number
        wrong = wrong + each @ w
    error = wrong / samples
    spread = error * (1 - error)
    return np.where(spread > 0, (both / pairs - error**2) / np.where(spread > 0, spread, 1.0), -1.0)
