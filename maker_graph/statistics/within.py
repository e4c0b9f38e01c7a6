"""Votes that pass: how often a rule that passes steps is right, wrong, or passes, and how many votes it takes.

The formulas are for independent and for correlated errors. The rules are `AheadBy(k, within=m)` and `Confirm(by, of)`, and any
other that ends within a fixed number of votes and looks only at the votes of candidates. A valid sample is right with
probability p and wrong with theta = 1 - p. A share `rival` = f of the wrong samples gives the most frequent wrong answer. Each
of the other wrong samples gives an answer that no other sample gives. f = 1 is the paper's worst case, a single rival (arXiv
2511.09030, section 4.4). It is the worst case here too, because steps with scattered answers pass.

How it is computed. A sequence of votes is a path over (right, rival, other) votes. All paths with the same numbers of votes are
equally likely, so it is enough to count them, in whole numbers, once for each rule. The rule itself says where a path ends. A
path of a right votes, b for the rival and c others has the probability

    p^a theta^(b + c) f^b (1 - f)^c.

Correlated errors are those of `correlated.py`: theta is drawn for each step from a Beta distribution of mean 1 - p and
within-step correlation rho. Then p^a theta^j becomes its mean, with d = rho / (1 - rho)

    E[(1 - theta)^a theta^j] = prod_{i<a} (p + i d) prod_{i<j} (1 - p + i d) / prod_{i<a+j} (1 + i d),

which is p^a theta^j at rho = 0. So the same counts serve both kinds of errors. Nothing is simulated, and nothing is cut off.

The first sample may have a lower temperature than the others, and its own p (`cold`). It meets the same step. On a step where
the others err with probability theta, it errs with theta (1 - cold) / (1 - p) if it is better than they are, and is right with
(1 - theta) cold / p if it is worse. So its mean is `cold`, and steps that are hard for the others are hard for it. If its error
rate were drawn separately, the first sample would be a second opinion on hard steps, which samples of one model are not.

In parallel a round draws as many samples as the rule says, and all are counted. The outcomes are those of the sequential rule,
but there are more votes, because a round may go on after the rule would have given up. Both numbers of votes are computed. Red
flags are left out. A discarded sample is drawn again in the next round, so with many red flags the votes lie between the two
numbers.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from maker_graph.core.ballot import Ballot
from maker_graph.core.rules import Decided, Draw, StoppingRule, checked_verdict
from maker_graph.errors import UsageError
from maker_graph.statistics.race import check_rho, log_odds_of_wrong, log_share

MOST_VOTES = 200
"""A rule that may take more votes than this is refused. It never passes a step, or too late to be of use."""

Kind: TypeAlias = Literal["right", "rival", "other"]
"""What a vote is for: the right answer, the most frequent wrong one, or a wrong one that nobody else gives."""

End: TypeAlias = Literal["right", "wrong", "passed", ""]
"""How a step ends; empty if it goes on."""

Votes: TypeAlias = tuple[int, int, int]
"""Right votes, votes for the rival, other votes."""


class PassingLaw(NamedTuple):
    """How one step ends under a rule that passes steps. All chances are from 0 to 1.

    Attributes:
        right: the chance that it is decided rightly.
        wrong: the chance that it is decided wrongly.
        passed: the chance that it is passed on. The three add up to 1.
        votes: the expected votes, if samples are drawn one after the other.
        votes_in_rounds: the expected votes, if the samples of a round are drawn at once, as in a run, and none is discarded.
        rounds: the expected rounds.
    """

    right: float
    wrong: float
    passed: float
    votes: float
    votes_in_rounds: float
    rounds: float

    @property
    def decided(self) -> float:
        """The chance that it is decided."""
        return self.right + self.wrong

    @property
    def error(self) -> float:
        """The share of decided steps that are wrong; 0 if none is decided."""
        return self.wrong / self.decided if self.decided else 0.0


def passing_law(rule: StoppingRule, p: float, *, rho: float = 0.0, rival: float = 1.0, cold: float | None = None) -> PassingLaw:
    """Return how one step ends under `rule`: the chance of each outcome, and the votes that it takes.

    Each step has its own error rate, and these rates follow a Beta distribution with correlation `rho`, as in
    `p_sub_correlated`. All ways in which a vote can go are counted, so the result is exact under these assumptions.

    >>> from maker_graph import AheadBy
    >>> law = passing_law(AheadBy(5, within=5), 0.72)
    >>> [round(number, 4) for number in (law.right, law.wrong, law.passed)], round(law.votes, 2), round(law.votes_in_rounds, 2)
    ([0.1935, 0.0017, 0.8048], 3.27, 5.0)
    >>> law = passing_law(AheadBy(5, within=5), 0.72, rho=0.27)
    >>> round(law.decided, 3), round(law.error, 4), round(law.votes, 2)
    (0.406, 0.0896, 3.73)

    Args:
        rule: the stopping rule, such as `AheadBy(3, within=5)`; it must be hashable.
        p: the chance that a sample without a red flag is right, over all steps; above 0 and at most 1.
        rho: the correlation of the errors of two samples of one step, at least 0 and below 1; 0 for independent errors.
        rival: the share of the wrong samples that give the most frequent wrong answer, above 0 and at most 1. Each of the other
            wrong samples gives an answer of its own. 1 is the worst case.
        cold: the chance that the first sample without a red flag is right, from 0 to 1, if it is drawn at another temperature;
            None for `p`.

    Raises:
        UsageError: a number is out of range, or the rule does not end within 200 votes: `AheadBy` needs a `within`.
    """
    log_odds_of_wrong(p)
    log_share(rival, "rival")
    check_rho(rho)
    if cold is not None and not 0.0 <= cold <= 1.0:
        raise UsageError(f"cold must be at least 0 and at most 1, not {cold!r}.")
    scattered = rival < 1.0
    one_by_one, in_rounds = (
        counted_paths(rule, scattered=scattered, one_by_one=each)  # type: ignore[arg-type]  # mypy cannot see that it has a hash
        for each in (True, False)
    )
    longest = max(path.votes for path in (*one_by_one, *in_rounds))
    chance = _chances(longest, p, rho, rival, cold)
    ends: dict[str, list[float]] = defaultdict(list)
    for path in one_by_one:
        if path.end:
            ends[path.end].append(chance(path))
    right, wrong, passed = (math.fsum(ends[end]) for end in ("right", "wrong", "passed"))
    return PassingLaw(
        right,
        wrong,
        passed,
        votes=math.fsum(path.votes * chance(path) for path in one_by_one if path.end),
        votes_in_rounds=math.fsum(path.votes * chance(path) for path in in_rounds if path.end),
        rounds=1 + math.fsum(chance(path) for path in in_rounds if not path.end),
    )


class Path(NamedTuple):
    """All sequences of votes that lead to the same counts, at a point where the rule was asked.

    Attributes:
        first: what the first vote was for.
        right: right votes.
        rival: votes for the most frequent wrong answer.
        other: votes for other wrong answers, each for a different one.
        ways: the number of orders in which the votes after the first can have come.
        end: how the step ends there; empty if it goes on.
    """

    first: Kind
    right: int
    rival: int
    other: int
    ways: int
    end: End

    @property
    def votes(self) -> int:
        """The number of votes."""
        return self.right + self.rival + self.other


@lru_cache(64)
def counted_paths(rule: StoppingRule, *, scattered: bool, one_by_one: bool) -> tuple[Path, ...]:
    """Return the counts of votes at which `rule` is asked, and in how many ways a vote gets there.

    >>> from maker_graph import AheadBy
    >>> for path in counted_paths(AheadBy(2, within=2), scattered=False, one_by_one=False):
    ...     print(path.first, path.right, path.rival, path.ways, path.end)
    right 1 1 1 passed
    right 2 0 1 right
    rival 0 2 1 wrong
    rival 1 1 1 passed

    Args:
        rule: the stopping rule; it must be hashable and end within `MOST_VOTES` votes.
        scattered: whether there are other wrong answers than the rival.
        one_by_one: whether the rule is asked after each vote; else it is asked after each round.

    Raises:
        UsageError: the rule ends before the first vote, or goes on for longer.
    """
    kinds: tuple[Kind, ...] = ("right", "rival", "other") if scattered else ("right", "rival")
    begins = checked_verdict(rule, {})
    if not isinstance(begins, Draw):
        raise UsageError(f"{rule} ends before there is a vote.")
    found = []
    for first in kinds:
        counts = (int(first == "right"), int(first == "rival"), int(first == "other"))
        level: dict[Votes, int] = {counts: 1}
        waiting: dict[int, dict[Votes, int]] = defaultdict(lambda: defaultdict(int))
        _go_on(waiting, level, 0 if one_by_one else begins.samples - 1, scattered)
        while waiting:
            for at, ways in sorted(waiting.pop(min(waiting)).items()):
                end, draws = _asked(rule, first, at)
                found.append(Path(first, *at, ways, end))
                if draws:
                    _go_on(waiting, {at: ways}, 1 if one_by_one else draws, scattered)
    return tuple(found)


def _asked(rule: StoppingRule, first: Kind, at: Votes) -> tuple[End, int]:
    """Return what `rule` says of these votes: how it ends, or how many samples it draws."""
    match rule(_ballot(first, *at)):
        case Decided(candidate):
            return ("right" if candidate == "right" else "wrong"), 0
        case Draw(samples):
            if sum(at) >= MOST_VOTES:
                raise UsageError(f"{rule} goes on beyond {MOST_VOTES} votes: give it an end, such as within={MOST_VOTES}.")
            return "", samples
        case _:
            return "passed", 0


def _ballot(first: Kind, right: int, rival: int, other: int) -> Ballot:
    """Return the ballot as a rule sees it, with the candidate of the first vote in front."""
    votes = {"right": right, "rival": rival, **{f"other {i}": 1 for i in range(other)}}
    name = "other 0" if first == "other" else first
    return {name: votes.pop(name), **{candidate: number for candidate, number in votes.items() if number}}


def _go_on(
    waiting: dict[int, dict[Votes, int]],
    level: dict[Votes, int],
    draws: int,
    scattered: bool,
) -> None:
    """Add to `waiting`, by number of votes, the counts that `level` leads to after `draws` more votes."""
    for at, ways in level.items():
        for right, rival, other in _shares(draws, scattered):
            orders = math.comb(draws, right) * math.comb(draws - right, rival)
            after = (at[0] + right, at[1] + rival, at[2] + other)
            waiting[sum(after)][after] += ways * orders


def _shares(draws: int, scattered: bool) -> Iterator[Votes]:
    for right in range(draws + 1):
        for rival in range(draws - right + 1):
            other = draws - right - rival
            if scattered or not other:
                yield right, rival, other


def _chances(longest: int, p: float, rho: float, rival: float, cold: float | None) -> Callable[[Path], float]:
    """Return the function that gives the probability of all the ways of a path together."""
    apart = rho / (1 - rho)
    rights = _rising(p, apart, longest + 1)
    wrongs = _rising(1 - p, apart, longest + 1)
    all_of = _rising(1.0, apart, longest + 1)
    to_rival, to_others = (_powers(share, longest) for share in (rival, 1 - rival))

    def hot(right: int, wrong: int) -> float:
        """Return the logarithm of the mean of (1 - theta)^right theta^wrong."""
        return rights[right] + wrongs[wrong] - all_of[right + wrong]

    def chance(path: Path) -> float:
        wrong = path.rival + path.other
        log = math.log(path.ways) + to_rival[path.rival] + to_others[path.other]
        if cold is None or cold == p:
            return math.exp(log + hot(path.right, wrong))
        is_right = path.first == "right"
        a, j = path.right - is_right, wrong - (not is_right)  # without the first
        better = cold > p
        least = (1 - cold) / (1 - p) if better else cold / p
        same = math.exp(log + hot(a + (not better), j + better)) * least  # (1 - cold)/(1 - p) theta, or cold/p (1 - theta)
        if is_right != better:
            return same
        return math.exp(log + hot(a, j)) - same

    return chance


def _rising(start: float, apart: float, most: int) -> list[float]:
    """Return the logarithms of the products start (start + apart) (start + 2 apart) ... with 0, 1, 2 ... factors."""
    logs = [0.0]
    for i in range(most):
        factor = start + i * apart
        logs.append(logs[-1] + (math.log(factor) if factor > 0 else -math.inf))
    return logs


def _powers(share: float, most: int) -> list[float]:
    return [0.0, *(i * math.log(share) if share > 0 else -math.inf for i in range(1, most + 1))]
