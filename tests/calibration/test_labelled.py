"""Plans from labelled rows: what is chosen is proved, and where nothing is proved it says how far each gets."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from maker_graph.calibration.labelled import IN_ORDER, LabelPlan, PlanGoal, chain_of, default_cascades, fitting, plan_labelled
from maker_graph.calibration.trials import tried
from maker_graph.calibration.votes import read_votes
from maker_graph.core.rules import AheadBy
from maker_graph.errors import UsageError
from maker_graph.statistics.labelled import Counts, proved_in_order, upper_bound
from maker_graph.statistics.within import passing_law
from tests.calibration.voted import cascade_of, drawn_rows, row_of, votes_of, written

TWO = [cascade_of({"k": 3, "within": 3}, name="cautious"), cascade_of({"k": 1}, name="bold")]


def planned(folder: Path, rows: list[str], target: float = 0.9, **more: object) -> LabelPlan:
    return plan_labelled(votes_of(folder, "m", *rows), PlanGoal(target=target), cascades=TWO, **more)  # type: ignore[arg-type]


def test_the_default_order_goes_from_the_most_cautious_on_by_the_formulas() -> None:
    for p, rho in ((0.89, 0.5), (0.9, 0.1)):
        errors = [passing_law(AheadBy(k, within=within or 60), p, rho=rho).error for k, within in IN_ORDER]
        ahead = sum(later < earlier for earlier, later in pairwise(errors))
        assert ahead <= 3, "nearly in order: neighbours may change places with the model"
        assert errors[0] < errors[4] < errors[8] < errors[-2] < errors[-1]


def test_default_rules_leave_room_for_red_flags() -> None:
    assert [max((w or k) for k, w in fitting(n)) for n in (1, 2, 3, 8, 16, 40, 1000)] == [1, 2, 3, 5, 10, 20, 20]


def test_the_one_that_decides_most_is_chosen_among_those_that_are_proved(tmp_path: Path) -> None:
    plan = planned(tmp_path, ["RRR"] * 90 + ["xRR"] * 2 + ["RxR"] * 8)
    assert [(line.name, line.tally.wrong, line.tally.decided, line.proved) for line in plan.lines] == [
        ("cautious", 0, 90, True),
        ("bold", 2, 100, True),
    ]
    assert plan.chosen is plan.lines[1]
    assert plan.at_most == 0.1, "what is proved of a chosen one is the limit; its own bound is lower"
    assert plan.lines[1].bound == upper_bound(2, 100) < 0.1


def test_what_comes_after_the_first_failure_is_not_proved(tmp_path: Path) -> None:
    rows = ["xxx"] * 20 + ["RRR"] * 80
    plan = plan_labelled(
        votes_of(tmp_path, "m", *rows), PlanGoal(target=0.9), cascades=[cascade_of({"k": 1}, name="bad"), *TWO]
    )
    assert [line.proved for line in plan.lines] == [False] * 3
    assert plan.chosen is None
    assert "No cascade is proved to reach the target 0.9" in plan.reason
    assert "more labels would not help" in plan.reason


def test_one_cascade_alone_has_its_own_bound(tmp_path: Path) -> None:
    plan = plan_labelled(votes_of(tmp_path, "m", *["RRR"] * 100), PlanGoal(target=0.9), cascades=TWO[:1])
    assert plan.at_most == upper_bound(0, 100)


def test_too_few_labels_say_how_many_would_do(tmp_path: Path) -> None:
    plan = planned(tmp_path, ["RRR"] * 10 + ["RxR"] * 10, target=0.95)
    assert [line.needed for line in plan.lines] == [118, 59]
    assert plan.reason.endswith("If the rows go on like this, about 59 labelled ones would prove it.")


def test_no_more_is_left_for_review_than_is_allowed(tmp_path: Path) -> None:
    rows = ["RRR"] * 60 + ["RxR"] * 20 + ["xRR"] * 20
    plan = plan_labelled(votes_of(tmp_path, "m", *rows), PlanGoal(target=0.9, max_review=0.3), cascades=TWO)
    assert [line.proved for line in plan.lines] == [True, False]
    assert plan.chosen is None
    assert "all of them leave more than 30% of the rows for review. The least is cautious, which leaves 40%" in plan.reason


@pytest.mark.parametrize("rows", [["x" * 16] * 40, ["-" * 16] * 40, ["R" * 16], [""] * 5, ["xyzabcdefghijklm"] * 9])
def test_no_labels_are_too_bad_to_be_planned_with(rows: list[str], tmp_path: Path) -> None:
    votes = votes_of(tmp_path, "m", *rows)
    if rows[0] == "":
        with pytest.raises(UsageError, match="no cascade to try"):
            plan_labelled(votes, PlanGoal(target=0.9))
        return
    plan = plan_labelled(votes, PlanGoal(target=0.9))
    assert plan.chosen is None
    assert plan.reason


def test_several_pools_share_the_doubt(tmp_path: Path) -> None:
    good = written(tmp_path / "a", [row_of(i, "RRR") for i in range(31)])
    votes = read_votes([f"m@0.1={good}", f"m@0.7={good}"])
    (one,) = default_cascades(read_votes([f"m@0.1={good}"]))
    assert len(default_cascades(votes)) == 2
    assert one[0].rungs[0].temperature == 0.1
    assert plan_labelled(read_votes([f"m@0.1={good}"]), PlanGoal(target=0.9)).chosen is not None
    assert plan_labelled(votes, PlanGoal(target=0.9)).chosen is None, "31 clean labels prove .9 once, and not twice"


def test_the_default_rules_begin_at_two_places_with_half_of_the_doubt_each(tmp_path: Path) -> None:
    assert plan_labelled(votes_of(tmp_path, "m", *["R" * 16] * 35), PlanGoal(target=0.9)).chosen is None
    plan = plan_labelled(votes_of(tmp_path, "m", *["R" * 16] * 36), PlanGoal(target=0.9))
    assert all(line.proved for line in plan.lines)
    late = plan_labelled(votes_of(tmp_path, "m", *["RRRRxRRRRRRRRRRR"] * 36), PlanGoal(target=0.9))
    assert next(line.name for line in late.lines if line.proved) == "ahead by 4 within 6 votes"


def test_rows_apart_choose_and_prove(tmp_path: Path) -> None:
    plan = planned(tmp_path, ["RRR"] * 180 + ["xRR"] * 4 + ["RxR"] * 16, choose_share=0.4)
    assert plan.chosen is plan.lines[1]
    assert plan.chosen_apart + plan.chosen.tally.rows == 200
    assert 50 < plan.chosen_apart < 110
    assert plan.at_most == plan.chosen.bound
    assert (
        planned(tmp_path, ["RRR"] * 180 + ["xRR"] * 4 + ["RxR"] * 16, choose_share=0.4, seed=1).chosen_apart
        != plan.chosen_apart
    )
    none = planned(tmp_path, ["xRR"] * 50, choose_share=0.5)
    assert none.chosen is None
    assert "was chosen on" in none.reason


def test_labels_may_be_added_if_it_is_said_before(tmp_path: Path) -> None:
    votes = votes_of(tmp_path, "m", *["RRR"] * 30)
    assert plan_labelled(votes, PlanGoal(target=0.9), cascades=TWO).chosen is not None
    assert plan_labelled(votes, PlanGoal(target=0.9, anytime=True), cascades=TWO).chosen is None
    more = votes_of(tmp_path, "m", *["RRR"] * 34)
    assert plan_labelled(more, PlanGoal(target=0.9, anytime=True), cascades=TWO).chosen is not None


def test_a_chain_needs_labels_for_each_of_its_steps(tmp_path: Path) -> None:
    plan = plan_labelled(votes_of(tmp_path, "m", *["RRR"] * 700), PlanGoal(target=0.9), cascades=TWO[:1])
    short, long = chain_of(plan, 10), chain_of(plan, 100)
    assert (short.reaches, short.labels) == (True, 299)
    assert (long.reaches, long.labels) == (False, 2995)
    assert [short.at_most, long.at_most] == pytest.approx([10 * upper_bound(0, 700), 100 * upper_bound(0, 700)])
    nothing = plan_labelled(votes_of(tmp_path, "m", "xxx"), PlanGoal(target=0.9), cascades=TWO)
    assert chain_of(nothing, 10) == (10, None, False, 299)


@pytest.mark.parametrize(
    "wrong", [{"target": 1.0}, {"target": 0.0}, {"max_review": 1.1}, {"confidence": 1.0}, {"max_review": float("nan")}]
)
def test_a_goal_out_of_range_is_told(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="must"):
        PlanGoal(**wrong)  # type: ignore[arg-type]  # floats all of them


def test_a_share_out_of_range_is_told(tmp_path: Path) -> None:
    for share, says in ((1.0, "must be at least 0 and below 1"), (0.5, "too few rows")):
        with pytest.raises(UsageError, match=says):
            planned(tmp_path, ["RRR"], choose_share=share)
    with pytest.raises(UsageError, match="no cascade to try"):
        plan_labelled(votes_of(tmp_path, "m", "RRR"), cascades=[])


def test_what_is_promised_is_kept_in_nineteen_cases_of_twenty(tmp_path: Path) -> None:
    """Labelled rows are drawn again and again from a population, whose risk under each cascade is known."""
    votes = votes_of(tmp_path, "m", *drawn_rows(400))
    trials = [tried(cascade, votes) for cascade in default_cascades(votes)[0]]
    risks = [trial.tally().error or 0.0 for trial in trials]
    shares = [0.5 if place in {0, 4} else 0.0 for place in range(len(trials))]
    rng, broken, certified, runs = np.random.default_rng(2), 0, 0, 300
    for _ in range(runs):
        among = rng.integers(0, 400, 400)
        counts: list[Counts] = [trial.tally(among).counts for trial in trials]
        proved = proved_in_order(counts, 0.05, shares=shares)
        certified += any(proved)
        broken += any(each and risk > 0.05 for each, risk in zip(proved, risks, strict=True))
    assert certified > 0.5 * runs
    assert broken <= 0.05 * runs
