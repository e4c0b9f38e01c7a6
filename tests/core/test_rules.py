"""The vote is exact, although its samples are drawn in parallel."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.ballot import count, lead
from maker_graph.core.rules import AheadBy, Confirm, Decided, Draw, FirstTo, Hung, Majority, StoppingRule, checked_verdict
from maker_graph.errors import UsageError
from maker_graph.statistics.independent import expected_votes, p_sub

votes_of = st.lists(st.sampled_from("abcd"), max_size=60)


def sequential(votes: list[str], k: int) -> tuple[str, int] | None:
    """The law of the paper: look after each vote, stop as soon as one is k ahead of all others."""
    ballot: dict[str, int] = {}
    for number, vote in enumerate(votes, start=1):
        ballot[vote] = ballot.get(vote, 0) + 1
        if ballot[vote] >= k + max((v for c, v in ballot.items() if c != vote), default=0):
            return vote, number
    return None


def in_rounds(draw: Callable[[], str], rule: StoppingRule) -> tuple[str | None, int, int]:
    ballot: dict[str, int] = {}
    drawn = rounds = 0
    while True:
        verdict = rule(ballot)
        if isinstance(verdict, Decided):
            return verdict.candidate, drawn, rounds
        if isinstance(verdict, Hung):
            return None, drawn, rounds
        rounds += 1
        drawn += verdict.samples
        for _ in range(verdict.samples):
            vote = draw()
            ballot[vote] = ballot.get(vote, 0) + 1


@given(votes_of, st.integers(1, 5))
def test_deficit_rounds_decide_what_the_sequential_law_decides_after_as_many_votes(votes: list[str], k: int) -> None:
    expected = sequential(votes, k)
    source = iter(votes)
    try:
        winner, drawn, _ = in_rounds(lambda: next(source), AheadBy(k))
    except StopIteration:
        assert expected is None
    else:
        assert (winner, drawn) == expected


@given(votes_of, st.integers(1, 5))
def test_the_winner_leads_every_other_by_k_and_nobody_wins_before(votes: list[str], k: int) -> None:
    verdict = AheadBy(k)(count(votes))
    if isinstance(verdict, Decided):
        others = [v for c, v in count(votes).items() if c != verdict.candidate]
        assert count(votes)[verdict.candidate] - max(others, default=0) >= k
    else:
        assert isinstance(verdict, Draw)
        assert lead(count(votes)).votes == k - verdict.samples


@given(votes_of.flatmap(lambda votes: st.tuples(st.just(votes), st.permutations(votes))))
def test_counting_ignores_order(both: tuple[list[str], list[str]]) -> None:
    assert count(both[0]) == count(both[1])
    assert lead(count(both[0])).votes == lead(count(both[1])).votes


def test_ahead_by_3_at_p_90_is_wrong_as_rarely_as_the_formula_says_over_200_000_decisions() -> None:
    """With replies that arrive out of order the graph itself is tested, in test_microstep.py."""
    chance = random.Random(7)
    decisions, wrong, samples, rounds = 200_000, 0, 0, 0
    rule = AheadBy(3)
    for _ in range(decisions):
        ballot: dict[str, int] = {}
        verdict = rule(ballot)
        while isinstance(verdict, Draw):
            for _ in range(verdict.samples):
                vote = "right" if chance.random() < 0.9 else "wrong"
                ballot[vote] = ballot.get(vote, 0) + 1
            samples, rounds = samples + verdict.samples, rounds + 1
            verdict = rule(ballot)
        assert isinstance(verdict, Decided)
        wrong += verdict.candidate == "wrong"
    promised = 1 - p_sub(0.9, 3)
    assert promised == pytest.approx(1 / (1 + 9**3))
    assert abs(wrong / decisions - promised) < 3 * math.sqrt(promised / decisions)
    assert samples / decisions == pytest.approx(expected_votes(0.9, 3), rel=0.01)
    assert expected_votes(0.9, 3) == pytest.approx(3.7397, abs=5e-5)
    assert rounds / decisions < 1.4


def test_counting_as_replies_arrive_would_break_the_law() -> None:
    """The trap that deficit rounds avoid: with wrong replies twice as fast, the error is several times the promised one."""
    chance = random.Random(7)
    decisions, wrong = 40_000, 0
    for _ in range(decisions):
        ballot: dict[str, int] = {}
        clock = [_reply(chance, 0.0) for _ in range(3)]
        while not isinstance(AheadBy(3)(ballot), Decided):
            clock.sort()
            now, vote = clock.pop(0)
            ballot[vote] = ballot.get(vote, 0) + 1
            clock.append(_reply(chance, now))
        wrong += lead(ballot).candidate == "wrong"
    assert wrong / decisions > 2.5 * (1 - p_sub(0.9, 3))


def _reply(chance: random.Random, now: float) -> tuple[float, str]:
    vote = "right" if chance.random() < 0.9 else "wrong"
    return now + chance.lognormvariate(0, 0.4) * (0.5 if vote == "wrong" else 1.0), vote


def test_first_to_k_is_cheaper_and_weaker() -> None:
    chance = random.Random(3)
    results = [in_rounds(lambda: "right" if chance.random() < 0.9 else "wrong", FirstTo(3)) for _ in range(50_000)]
    assert sum(winner == "right" for winner, _, _ in results) / 50_000 == pytest.approx(0.9916, abs=0.002)
    assert sum(drawn for _, drawn, _ in results) / 50_000 == pytest.approx(3.32, rel=0.01)


def test_majority_needs_more_than_half_of_exactly_n() -> None:
    assert Majority(5)({}) == Draw(5)
    assert Majority(5)({"a": 3, "b": 2}) == Decided("a")
    assert Majority(5)({"a": 2, "b": 2, "c": 1}) == Hung()
    assert Majority(4)({"a": 2, "b": 2}) == Hung()


def sequentially(votes: list[str], rule: StoppingRule) -> Decided | Hung | None:
    """Return how a rule ends that looks after each vote; None if the votes do not suffice."""
    ballot: dict[str, int] = {}
    for vote in votes:
        ballot[vote] = ballot.get(vote, 0) + 1
        verdict = rule(ballot)
        if not isinstance(verdict, Draw):
            return verdict
    return None


@given(st.lists(st.sampled_from("abc"), min_size=60, max_size=60), st.integers(1, 6), st.integers(0, 9))
def test_a_round_never_changes_what_ahead_by_k_within_m_comes_to(votes: list[str], k: int, more: int) -> None:
    rule, coming = AheadBy(k, within=k + more), iter(votes)
    winner, drawn, _ = in_rounds(lambda: next(coming), rule)
    expected = sequentially(votes, rule)
    assert winner == (expected.candidate if isinstance(expected, Decided) else None)
    assert drawn <= k + more


@given(st.lists(st.sampled_from("abc"), min_size=60, max_size=60), st.integers(1, 6), st.integers(0, 4))
def test_a_round_never_changes_what_confirm_comes_to(votes: list[str], by: int, more: int) -> None:
    rule, coming = Confirm(by, of=by + more), iter(votes)
    winner, drawn, _ = in_rounds(lambda: next(coming), rule)
    assert winner == (votes[0] if votes[1 : 1 + by + more].count(votes[0]) >= by else None)
    assert drawn <= 1 + by + more


@given(votes_of, st.integers(1, 5), st.integers(0, 6))
def test_a_vote_is_given_up_exactly_when_nobody_can_win_it_any_more(votes: list[str], k: int, more: int) -> None:
    ballot, rule = count(votes[: k + more]), AheadBy(k, within=k + more)
    if lead(ballot).votes >= k:
        return
    left = k + more - sum(ballot.values())
    best = max([lead(ballot | {name: ballot.get(name, 0) + left}).votes for name in [*ballot, "another"]])
    assert isinstance(rule(ballot), Hung) == (best < k)


def test_within_k_decides_only_what_is_unanimous() -> None:
    assert AheadBy(3, within=3)({"a": 3}) == Decided("a")
    assert AheadBy(3, within=3)({"a": 1, "b": 1}) == Hung()
    assert str(AheadBy(3, within=5)) == "ahead by 3 within 5 votes"


@pytest.mark.parametrize("rule", [AheadBy, FirstTo, Majority])
@pytest.mark.parametrize("k", [0, -1, True, 2.0])
def test_k_below_one_is_refused(rule: type, k: float) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        rule(k)


@pytest.mark.parametrize(
    ("says", "problem"),
    [
        (Draw(0), "samples to draw must be a whole number of at least 1, not 0"),
        (Draw(-1), "not -1"),
        (Draw(2.5), "not 2.5"),  # type: ignore[arg-type]  # the slip
        (Draw(True), "not True"),
        (Decided("zzz"), "decided for a candidate that nobody voted for"),
        (Decided(["a"]), "decided for a candidate"),  # type: ignore[arg-type]  # the slip
        (None, "it returned None"),
        ("a", "it returned 'a'"),
        (3, "it returned 3"),
        (Draw, "it returned <class"),
    ],
)
def test_a_rule_that_says_nonsense_is_an_error_that_names_it(says: Any, problem: str) -> None:
    def odd(_: Any) -> Any:
        return says

    with pytest.raises(UsageError, match="The stopping rule odd") as caught:
        checked_verdict(odd, {"a": 1})
    assert problem in str(caught.value)


def test_a_rule_that_fails_is_an_error_that_says_on_which_votes() -> None:
    def hasty(ballot: Any) -> Any:
        return Decided(max(ballot, key=ballot.get)) if len(ballot) > 2 else 1 / 0

    with pytest.raises(UsageError, match=r"hasty, on the votes \[2, 1\], failed with ZeroDivisionError") as caught:
        checked_verdict(hasty, {"a": 1, "b": 2})
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_rule_that_changes_the_ballot_changes_no_vote() -> None:
    def forger(ballot: Any) -> Any:
        ballot["b"] = 9
        return Decided("b")

    ballot = {"a": 1}
    with pytest.raises(UsageError, match="nobody voted for"):
        checked_verdict(forger, ballot)
    assert ballot == {"a": 1}


@given(votes_of, st.sampled_from([AheadBy(1), AheadBy(3), FirstTo(2), Majority(5)]))
def test_the_rules_that_ship_always_say_what_can_be_kept(votes: list[str], rule: StoppingRule) -> None:
    assert checked_verdict(rule, count(votes)) == rule(count(votes))


def test_a_rule_that_nobody_can_win_by_is_refused() -> None:
    with pytest.raises(UsageError, match="raise within or lower k"):
        AheadBy(3, within=2)
    with pytest.raises(UsageError, match="raise of or lower by"):
        Confirm(3, of=2)
    with pytest.raises(UsageError, match="within"):
        AheadBy(1, within=0)
