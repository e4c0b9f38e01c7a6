"""Runs by the law of ahead by k, simulated, and what their ballots say where nothing is hidden."""

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import permutations
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.special import betaln

Tally: TypeAlias = tuple[int, ...]

Shares: TypeAlias = tuple[float, ...]
"""Of the wrong votes, for each wrong answer."""

WORLDS: dict[str, dict[Shares, float]] = {
    "one rival": {(1.0,): 1.0},
    "scatter": {(0.7, 0.1, 0.1, 0.1): 1.0},  # as the simulated profiles do
    "even": {(0.2,) * 5: 1.0},
    "two kinds": {(1.0,): 0.5, (0.4, 0.2, 0.2, 0.2): 0.5},  # of steps
}
"""How wrong votes scatter: the shares -> on which part of the steps."""


class Outcome(NamedTuple):
    """A run: the steps with each tally, the chance that none is wrong given these if all is known, and whether none was."""

    tallies: dict[Tally, int]
    chance: float
    right: bool


@dataclass(frozen=True)
class World:
    """What is true: `error` and `rho` as in `statistics/correlated.py`, and how wrong votes scatter."""

    error: float
    rho: float
    scatter: str
    _known: dict[Tally, float] = field(default_factory=dict)

    def run(self, rng: np.random.Generator, steps: int, k: int) -> Outcome:
        """Return a run of `steps`, each decided by a lead of `k`; candidate 0 is the right one."""
        kinds = WORLDS[self.scatter]
        of = rng.choice(len(kinds), size=steps, p=list(kinds.values()))
        most = max(map(len, kinds))
        upto = np.cumsum([[*shares, *[0.0] * (most - len(shares))] for shares in kinds], axis=1)[of]
        theta = np.full(steps, self.error)
        if self.rho:
            weight = 1 / self.rho - 1
            theta = rng.beta(self.error * weight, (1 - self.error) * weight, size=steps)
        votes = np.zeros((steps, most + 1), dtype=int)
        open_ = np.arange(steps)
        while len(open_):
            wrong = 1 + (rng.random((len(open_), 1)) > upto[open_, :-1]).sum(axis=1)
            vote = np.where(rng.random(len(open_)) < theta[open_], wrong, 0)
            votes[open_, vote] += 1
            first = np.sort(votes[open_], axis=1)
            open_ = open_[first[:, -1] - first[:, -2] < k]
        tallies = Counter(tuple(int(n) for n in row[::-1] if n) for row in np.sort(votes, axis=1))
        log_chance = sum(steps * math.log1p(-self.wrong(tally)) for tally, steps in tallies.items())
        return Outcome(dict(tallies), math.exp(log_chance), bool((votes.argmax(axis=1) == 0).all()))

    def wrong(self, tally: Tally) -> float:
        """Return how likely the winner of a ballot is wrong."""
        if tally not in self._known:
            others = [(n, (*tally[:i], *tally[i + 1 :])) for i, n in enumerate(tally)]
            first, *rest = (self._votes(n, sum(parts)) * self._falls(parts) for n, parts in [*others, (0, tally)])
            self._known[tally] = sum(rest) / (first + sum(rest))
        return self._known[tally]

    def _votes(self, right: int, wrong: int) -> float:
        if not self.rho:
            return (1 - self.error) ** right * self.error**wrong
        alpha, beta = (share * (1 / self.rho - 1) for share in (self.error, 1 - self.error))
        return math.exp(betaln(alpha + wrong, beta + right) - betaln(alpha, beta))

    def _falls(self, parts: Tally) -> float:
        return sum(
            weight * math.prod(share**n for share, n in zip(chosen, parts, strict=True))
            for shares, weight in WORLDS[self.scatter].items()
            for chosen in permutations(shares, len(parts))
        )
