"""A certificate holds the truth without seeing it, and comes out low where the ballots show little."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maker_graph import AheadBy, DamagedRun, Unknown, UsageError, Valid, vote
from maker_graph.core.copies import CopiesSeen
from maker_graph.core.decision import Decision, Vote, vote_of
from maker_graph.journal.entry import encode
from maker_graph.report.certificate import MOST_LISTED, Ballots, Certificate, as_json, ballots_in, ballots_of, certify
from maker_graph.run.solving import solve
from maker_graph.statistics.likelihood import Tally
from maker_graph.statistics.unlabelled import MOST_ERROR
from tests.made import created, new_settings
from tests.voting import World


def voted(ballot: dict[str, int], **changes: Any) -> Decision:
    """Return the decision of a vote for "a", or with `changes` another one."""
    samples = sum(ballot.values()) + 1
    plain = {"by": "base", "candidate": "a", "status": "decided", "tried": [], "flags": {"malformed": 1}, "samples": samples}
    return {"ballot": ballot, **plain, **changes}  # type: ignore[typeddict-item]  # what a certificate looks at


def certified(tallies: Mapping[Tally, int], k: int) -> Certificate:
    contested = sum(steps for tally, steps in tallies.items() if len(tally) > 1)
    return certify(Ballots(sum(tallies.values()), dict(tallies), {}, contested, 0, 0, 0, {}), k)


@pytest.mark.parametrize(("scatter", "rho", "k"), [("one rival", 0.0, 4), ("one rival", 0.05, 5), ("scatter", 0.02, 3)])
def test_the_interval_holds_the_chance_that_is_true_given_the_ballots(scatter: str, rho: float, k: int) -> None:
    """In about 95 % of all runs, with these seeds in at least 5 of 6; `tests/benchmarks/certificate.py` is the long form."""
    world, rng = World(0.1, rho, scatter), np.random.default_rng(7)
    runs = [world.run(rng, 300, k) for _ in range(6)]
    stated = [certified(run.tallies, k).chance for run in runs]
    assert sum(each.low <= run.chance <= each.high for each, run in zip(stated, runs, strict=True)) >= 5
    assert np.mean([each.value for each in stated]) == pytest.approx(np.mean([run.chance for run in runs]), abs=0.1)
    assert all(each.low <= each.value <= each.high for each in stated)


def test_it_comes_out_low_where_k_was_too_small() -> None:
    for scatter in ("one rival", "scatter"):
        run = World(0.1, 0.0, scatter).run(np.random.default_rng(1), 1000, 2)
        assert not run.right
        assert certified(run.tallies, 2).chance.high < 0.1


def test_unanimous_ballots_prove_the_more_the_larger_k() -> None:
    lows = []
    for k in (2, 3, 5, 10):
        found = certified({(k,): 1000}, k)
        assert found.contested == 0
        assert found.error is not None
        assert found.rho is not None
        assert (found.error.value, found.error.low, found.rho.value) == (0.0, 0.0, 0.0)
        assert 0 < found.error.high < 0.01
        assert 0.999 < found.chance.value <= found.chance.high <= 1
        lows.append(found.chance.low)
    assert lows == sorted(lows)
    assert lows[0] < 0.5
    assert 0.9 < lows[-1] < 0.99


def test_with_k_1_the_ballots_are_no_evidence() -> None:
    found = certify(ballots_of([voted({"a": 1})] * 100), 1)
    assert tuple(found.chance) == (0.0, 0.0, 1.0)
    assert found.error is found.rho is found.agreement is None
    assert "no evidence" in found.assumptions[0]
    assert as_json(found)["error"] is None


def test_one_step_shows_next_to_nothing() -> None:
    found = certified({(3,): 1}, 3)
    assert found.chance.low == pytest.approx(1 - MOST_ERROR, abs=0.02)
    assert found.chance.high == pytest.approx(1.0, abs=1e-3)


def test_a_run_without_a_vote_is_refused() -> None:
    asked = voted({}, by="person", tried=[voted({"a": 5, "b": 5})])
    for decisions in ([], [asked] * 3):
        with pytest.raises(UsageError, match="nothing to certify"):
            certify(ballots_of(decisions), 3)
    with pytest.raises(UsageError):
        certify(ballots_of([voted({"a": 3})]), 0)


def test_where_all_steps_are_contested_the_error_is_large_and_the_chance_small() -> None:
    found = certified({(5, 2): 50, (6, 3): 50, (8, 5, 5): 10, (10, 7, 1): 10}, 3)
    assert found.error is not None
    assert 0.3 < found.error.low < found.error.high == pytest.approx(MOST_ERROR)
    assert found.chance.high < 0.2


def test_the_steps_most_likely_wrong_come_first_and_only_contested_ones_come() -> None:
    decisions = [voted({"a": 3})] * 900 + [voted({"a": 4, "b": 1})] * 90
    decisions += [voted({"a": 8, "b": 5, "c": 5}), voted({"a": 10, "b": 7, "c": 1}), voted({"a": 5, "b": 2})]
    found = certify(ballots_of(decisions), 3)
    assert (found.steps, found.covered, found.contested) == (993, 993, 93)
    assert len(found.contested_steps) == MOST_LISTED
    assert {each.step for each in found.contested_steps[:3]} == {991, 992, 993}
    assert [each.step for each in found.contested_steps[3:5]] == [901, 902]
    shares = [each.wrong for each in found.contested_steps]
    assert shares == sorted(shares, reverse=True)
    assert 0 < shares[-1] < shares[0] < 0.5


def test_a_step_that_climbed_the_ladder_is_judged_by_all_its_votes() -> None:
    calm, stuck = [voted({"a": 3})] * 500 + [voted({"a": 4, "b": 1})] * 10, voted({"a": 5, "b": 6})
    found = certify(ballots_of([*calm, voted({"a": 3}, by="temperature", tried=[stuck])]), 3)
    worst = found.contested_steps[0]
    assert (worst.step, worst.by, worst.winner, worst.ballot) == (511, "temperature", "a", {"a": 8, "b": 6})
    assert (worst.samples, worst.flags) == (16, {"malformed": 2})
    assert found.higher == 1
    assert "higher rung" in found.assumptions[-1]
    assert found.chance.value < certify(ballots_of([*calm, voted({"a": 3})]), 3).chance.value


def test_steps_without_a_vote_that_decided_are_not_covered_but_their_votes_count_as_errors() -> None:
    calm, stuck = [voted({"a": 3})] * 500 + [voted({"a": 4, "b": 1})] * 10, voted({"a": 50, "b": 49})
    asked = voted({}, by="person", tried=[stuck])
    left = voted({"a": 50, "b": 49}, status="undecided", candidate=None)
    found, without = (certify(ballots_of(each), 3) for each in ([*calm, asked, left], calm))
    assert (found.steps, found.covered, found.person, found.open) == (512, 510, 1, 1)
    assert sum("not covered" in each for each in found.assumptions) == 2
    assert found.error is not None
    assert without.error is not None
    assert found.error.value > 1.5 * without.error.value
    assert found.chance.value < without.chance.value


def test_votes_of_proved_steps_count_or_those_that_are_left_would_look_sure_where_all_of_them_are_wrong() -> None:
    """Where every right answer can be proved, the steps left to votes are those on which no sample was right."""

    def ended(*texts: str) -> Decision:
        def verify(answer: str) -> Valid | Unknown:
            return Valid("it is right", conclusive=True) if answer == "right" else Unknown()

        return vote(lambda number: texts[number], k=3, verify=verify)

    proved = [ended("right")] * 700 + [ended("wrong", "wrong", "right")] * 60 + [ended("wrong", "right", "right")] * 200
    left = [ended("wrong", "wrong", "wrong")] * 30
    found = certify(ballots_of([*proved, *left]), 3)
    assert (found.steps, found.proved, found.covered, found.contested) == (990, 960, 30, 260)
    assert found.error is not None
    assert found.error.value > 0.2
    assert found.chance.high < 0.1


def test_what_rungs_passed_on_before_a_proof_counts_for_them_and_what_was_lost_is_told() -> None:
    torn = vote(lambda number: "ab"[number], k=AheadBy(2, within=2), on_undecided="return")
    proof = vote(lambda _: "a", k=2, verify=lambda _: Valid("it is right", conclusive=True))
    step: Decision = {**proof, "by": "rung 2", "tried": [{**vote_of(torn), "lost": 2}], "lost": 1}
    rungs = ballots_in([(1, encode(step))], by_rung=True)
    assert (rungs["base"].undecided, rungs["base"].lost, rungs["base"].proved) == ({(1, 1): 1}, 2, 0)
    assert (rungs["rung 2"].undecided, rungs["rung 2"].lost, rungs["rung 2"].proved) == ({(1,): 1}, 1, 1)
    (whole,) = ballots_in([(1, encode(step))]).values()
    assert (whole.undecided, whole.lost, whole.proved, whole.steps) == ({(2, 1): 1}, 3, 1, 1)


def test_a_certificate_is_plain_json() -> None:
    found = certify(ballots_of([voted({"a": 3})] * 50 + [voted({"a": 4, "b": 1})]), 3)
    shown = json.loads(json.dumps(as_json(found)))
    assert shown["chance"] == {"value": found.chance.value, "low": found.chance.low, "high": found.chance.high}
    assert shown["contested_steps"][0]["ballot"] == {"a": 4, "b": 1}
    assert set(shown) == set(Certificate.__dataclass_fields__)


def test_the_journal_of_a_run_is_all_that_it_takes(tmp_path: Path) -> None:
    settings = new_settings("hanoi", {"disks": 7}, "sim:perfect,error=0.1,rho=0.05", k=4, max_tokens=750, check=False, seed=3)
    with created(tmp_path / "run", settings) as run:
        asyncio.run(solve(run, trace=None))
        votes: list[Vote] = list(run.journal.decisions())
        found = certify(ballots_of(run.journal.decisions()), run.settings.k)
    assert found.steps == found.covered == 127
    assert found.contested == sum(len(vote["ballot"]) > 1 for vote in votes) > 10
    assert found.error is not None
    assert found.rho is not None
    assert found.error.low < 0.1 < found.error.high
    assert found.rho.low < 0.05 < found.rho.high


def test_entries_are_skimmed_to_the_same_ballots_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    settings = new_settings("hanoi", {"disks": 6}, "sim:perfect,error=0.2,flagged=0.2", k=3)
    with created(tmp_path / "run", settings) as run:
        asyncio.run(solve(run))
        entries = list(run.journal.entries())
        assert ballots_in(entries)[""] == ballots_of(run.journal.decisions())
    with pytest.raises(DamagedRun, match="step 2"):
        ballots_in([entries[0], (2, entries[1][1][:-3])])


def test_votes_on_which_copies_were_seen_are_no_evidence_and_the_certificate_says_so() -> None:
    steps = [voted({"a": 3}), voted({"a": 3}, flags={"copy": 2}), voted({"a": 3})]
    for seen in (CopiesSeen(), CopiesSeen(proven=1)):
        found = certify(ballots_of(steps), 3, seen)
        assert (found.copies, found.error, found.chance) == (2, None, (0.0, 0.0, 1.0))
        assert "2 samples were copies of earlier replies" in found.refused
        assert found.assumptions == []
    unvaried = certify(ballots_of([voted({"a": 3})]), 3, CopiesSeen(varied=False))
    assert (unvaried.copies, unvaried.error) == (0, None)
    assert "left to chance" in unvaried.refused


def test_a_suspicion_of_copies_is_among_what_a_certificate_assumes() -> None:
    found = certify(ballots_of([voted({"a": 3})] * 9), 3, CopiesSeen(same=4, compared=5, varied=True))
    assert found.refused == ""
    assert found.error is not None
    assert any("4 of 5 long replies" in each for each in found.assumptions)


def test_copies_are_found_in_the_entries_of_a_journal_that_are_read_quickly() -> None:
    entries = [(1, '["copy",[null],[0,0],1,[5,0,9],0,true]'), (2, '["a",[null],[0,"copy",0],2,[5,0,9],0,true]')]
    ballots = ballots_in(entries)[""]
    assert (ballots.steps, ballots.copies, ballots.decided) == (2, 1, {(2,): 2})
