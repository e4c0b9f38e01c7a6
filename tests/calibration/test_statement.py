"""What may be printed before a run."""

import json
from pathlib import Path

import pytest

from maker_graph.calibration.labelled import PlanGoal, plan_labelled
from maker_graph.calibration.statement import as_data, cascade_data, chain_statement, percent, plan_statement
from maker_graph.run.cascades import CascadeFile, read_cascade
from tests.calibration.voted import cascade_of, votes_of

ONE = [cascade_of({"k": 2, "within": 2}, name="one")]
TWO = [*ONE, cascade_of({"k": 1}, name="two")]


def test_the_sentence_of_a_cascade_that_was_fixed_before(tmp_path: Path) -> None:
    rows = ["RR"] * 971 + ["xx"] * 9 + ["Rx"] * 220
    said = plan_statement(plan_labelled(votes_of(tmp_path, "m", *rows), PlanGoal(target=0.98), cascades=ONE))
    assert said == (
        "1,200 labelled rows drawn at random from this source, used for nothing else: 980 decided, 9 wrong. With 95 % "
        "confidence at most 1.6 % of decided rows of this source contradict such labels, for this model version, prompt and "
        "rules. It says nothing of a single row."
    )


def test_the_sentence_of_a_cascade_that_was_chosen_claims_the_target(tmp_path: Path) -> None:
    votes = votes_of(tmp_path, "m", *["RR"] * 300)
    assert (
        "used only to choose among these cascades: 300 decided, 0 wrong. With 95 % confidence at most 2 % of"
        in plan_statement(plan_labelled(votes, PlanGoal(target=0.98), cascades=TWO))
    )
    anytime = plan_statement(plan_labelled(votes, PlanGoal(target=0.98, anytime=True), cascades=TWO))
    assert anytime.endswith("It stays true if labels are added and the plan is made again.")


def test_rows_of_which_nobody_knows_are_said_to_count_as_wrong(tmp_path: Path) -> None:
    plan = plan_labelled(votes_of(tmp_path, "m", *["RR"] * 300, "R"), PlanGoal(target=0.98), cascades=ONE)
    assert "300 decided, 0 wrong, 1 with an unknown end count as wrong." in plan_statement(plan)


def test_a_chain_says_of_which_kind_its_promise_is(tmp_path: Path) -> None:
    plan = plan_labelled(votes_of(tmp_path, "m", *["RR"] * 1000), PlanGoal(target=0.95), cascades=ONE)
    assert "at most 10 times 0.3 %, 3 %. This assumes nothing about the model (distribution-free)." in chain_statement(plan, 10)
    longer = chain_statement(plan, 100)
    assert "30 %. To prove 0.95 for the whole chain in this way takes 5,990 decided labels" in longer
    assert "model-based" in longer
    assert "which says nothing" in chain_statement(plan, 1000)
    nothing = plan_labelled(votes_of(tmp_path, "m", "xx"), PlanGoal(target=0.95), cascades=ONE)
    assert "nothing is proved of a step" in chain_statement(nothing, 10)
    assert plan_statement(nothing) == ""


@pytest.mark.parametrize("share", [1e-9, 0.00123, 0.0199, 0.02, 0.0501, 0.099999, 0.5, 0.995, 0.999, 1.0])
def test_a_bound_is_rounded_up(share: float) -> None:
    shown = float(percent(share, up=True).removesuffix(" %")) / 100
    assert share - 1e-9 <= shown <= share * 1.1


def test_the_data_is_json_and_the_cascade_a_file_for_a_run(tmp_path: Path) -> None:
    plan = plan_labelled(votes_of(tmp_path, "a:b", *["RRRR"] * 300), PlanGoal(target=0.9))
    data = json.loads(json.dumps(as_data(plan, 5), allow_nan=False))
    assert data["chosen"] == plan.lines[-1].name == "ahead by 1"
    assert data["chain"]["steps"] == 5
    assert [line["chosen"] for line in data["cascades"]] == [False, False, False, True]
    (tmp_path / "c.json").write_text(json.dumps(data["cascade"]))
    assert data["cascade"] == {"name": "ahead by 1", "rungs": [{"model": "a:b", "k": 1, "max_samples": 4}]}
    assert cascade_data(read_cascade(tmp_path / "c.json")) == data["cascade"]


def test_what_was_said_of_a_rung_is_kept_and_nothing_else() -> None:
    rung = {"model": "m", "confirm": 2, "of": 3, "temperature": [0.1, 0.7], "max_tokens": None, "stop": ["\n"]}
    kept = cascade_data(CascadeFile.model_validate({"name": "c", "rungs": [rung]}))
    assert kept == {"name": "c", "rungs": [{**rung, "max_samples": 100}]}
