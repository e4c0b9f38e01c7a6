"""A plan from labelled rows, as sentences that may be printed and as plain data."""

import math
from typing import Any

from maker_graph.calibration.labelled import LabelPlan, Line, chain_of
from maker_graph.calibration.trials import Tally
from maker_graph.run.cascades import CascadeFile, RungFile

HOLDS_IF = (
    "This holds if the rows were drawn at random from the source, with each row's first samples, and if none of them was an "
    "example in the prompt or has helped to write the prompt or the cascades."
)
"""The conditions of the proof, which cannot be checked from the files."""


def plan_statement(plan: LabelPlan) -> str:
    """Return what is proved of the chosen cascade, in sentences that may be printed; empty if none is chosen."""
    if plan.chosen is None or plan.at_most is None:
        return ""
    tally, goal = plan.chosen.tally, plan.goal
    alone = plan.chosen_apart or len(plan.lines) == 1
    used = "used for nothing else" if alone else "used only to choose among these cascades"
    unknown = f", {tally.short:,} with an unknown end count as wrong" if tally.short else ""
    said = (
        f"{tally.rows:,} labelled rows drawn at random from this source, {used}: {tally.decided:,} decided, {tally.wrong:,} "
        f"wrong{unknown}. With {percent(goal.confidence)} confidence at most {percent(plan.at_most, up=True)} of decided rows "
        "of this source contradict such labels, for this model version, prompt and rules. It says nothing of a single row."
    )
    if goal.anytime:
        said += " It stays true if labels are added and the plan is made again."
    return said


def chain_statement(plan: LabelPlan, steps: int) -> str:
    """Return what the labels prove of a chain of `steps`, and whether the proof assumes a model of the errors.

    Raises:
        UsageError: there are no steps.
    """
    chain, target = chain_of(plan, steps), plan.goal.target
    labels = f"To prove {target:g} for the whole chain in this way takes {chain.labels:,} decided labels, none of them wrong."
    if plan.at_most is None or chain.at_most is None:
        return f"A chain of {steps:,} steps: nothing is proved of a step, so nothing is proved of the chain. {labels}"
    bound = (
        f"A chain of {steps:,} steps: with {percent(plan.goal.confidence)} confidence the chance that one of its decisions is "
        f"wrong is at most {steps:,} times {percent(plan.at_most, up=True)}"
    )
    if chain.reaches:
        return f"{bound}, {percent(chain.at_most, up=True)}. This assumes nothing about the model (distribution-free)."
    worth = ", which says nothing" if chain.at_most == 1 else f", {percent(chain.at_most, up=True)}"
    return (
        f"{bound}{worth}. {labels} With fewer, a promise for the chain rests on a model of the errors (model-based): plan with "
        "what calibrate measured, maker-graph plan FILE, or with --p and --rho."
    )


def percent(share: float, *, up: bool = False) -> str:
    """Return a share in percent, with two digits; `up` rounds up, as a bound must.

    >>> percent(0.95), percent(0.01597, up=True), percent(0.0161, up=True), percent(0.02, up=True), percent(1.0)
    ('95 %', '1.6 %', '1.7 %', '2 %', '100 %')
    """
    value = 100 * share
    if value <= 0:
        return "0 %"
    digits = 1 - math.floor(math.log10(value))
    scaled = value * 10.0**digits
    if up:
        value = math.ceil(scaled - 1e-6) / 10.0**digits
    return f"{value:.{max(digits, 0)}f}".rstrip("0").rstrip(".") + " %" if digits > 0 else f"{round(value)} %"


def as_data(plan: LabelPlan, steps: int | None = None) -> dict[str, Any]:
    """Return the plan as plain JSON; `steps` are those of a chain.

    Raises:
        UsageError: there are no steps.
    """
    goal, chosen = plan.goal, plan.chosen
    return {
        "target": goal.target,
        "max_review": goal.max_review,
        "confidence": goal.confidence,
        "anytime": goal.anytime,
        "cascades": [_line(line, chosen=line is chosen) for line in plan.lines],
        "chosen": None if chosen is None else chosen.name,
        "cascade": None if chosen is None else cascade_data(chosen.trial.cascade),
        "at_most_wrong": plan.at_most,
        "chosen_on": plan.chosen_apart,
        "reason": plan.reason,
        "statement": plan_statement(plan) or None,
        "chain": None if steps is None else {**chain_of(plan, steps)._asdict(), "statement": chain_statement(plan, steps)},
        "notes": [*plan.notes],
    }


def cascade_data(cascade: CascadeFile, tally: Tally | None = None) -> dict[str, Any]:
    """Return a cascade as its file holds it: the settings of each rung, and what to expect of the rows if `tally` is given."""
    left = 0 if tally is None else tally.passed + tally.stuck
    expected = {} if tally is None else {"expected": {"rows": tally.decided + left, "open": left}}
    return {"name": cascade.name, "rungs": [_rung(rung) for rung in cascade.rungs], **expected}


def _rung(rung: RungFile) -> dict[str, Any]:
    said = rung.model_dump(mode="json", include=rung.model_fields_set | {"max_samples"})
    empty = {"k", "within", "confirm", "of"}  # where null says no more than nothing
    return {name: value for name, value in said.items() if value is not None or name not in empty}


def _line(line: Line, *, chosen: bool) -> dict[str, Any]:
    tally = line.tally
    return {
        "name": line.name,
        "rows": tally.rows,
        "decided": tally.decided,
        "wrong": tally.wrong,
        "passed": tally.passed,
        "stuck": tally.stuck,
        "short": tally.short,
        "wrong_share": tally.error,
        "decided_share": tally.decided / tally.rows,
        "review_share": tally.review,
        "samples_per_row": tally.samples / tally.rows,
        "bound": line.bound,
        "proved": line.proved,
        "rows_needed": line.needed,
        "chosen": chosen,
    }
