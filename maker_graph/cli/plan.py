"""`maker-graph plan`: find the k or the cascade that reaches a target, before a run."""

import math
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from maker_graph.cli.app import Ending, app
from maker_graph.cli.options import AsJson, Force, OwnPrice, make_folder
from maker_graph.cli.output import show, shown, tell
from maker_graph.errors import UsageError
from maker_graph.extras import need_plan_extra
from maker_graph.files import OwnFiles
from maker_graph.models.pricing import list_price, parse_price
from maker_graph.statistics.forecast import TARGET
from maker_graph.statistics.labelled import CONFIDENCE

if TYPE_CHECKING:
    from maker_graph.calibration.estimates import ModelEstimates
    from maker_graph.calibration.lines import Result
    from maker_graph.calibration.plan import Speed


@app.command(
    "plan",
    epilog="Examples:\n\n  maker-graph plan --p .9 --steps 1000\n\n"
    "  maker-graph plan mini.jsonl --target .95   # written by maker-graph calibrate ... --out mini.jsonl\n\n"
    "  maker-graph plan --error .0022 --rho .005 --valid .968 --steps 1048575 --target .95 --price .4,1.6 --tokens 590,538\n\n"
    "  maker-graph plan choose.jsonl verdict.jsonl --target .95\n\n"
    "  maker-graph plan --labelled votes.jsonl --target .98 --max-review .3 --out cascade.json\n\n"
    "  maker-graph plan --labelled openai:gpt-4.1-nano@0.7=votes.jsonl --cascades cascades.json --target .98\n\n"
    "  maker-graph plan --plot figures",
)
def plan_command(
    calibrations: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="The file that maker-graph calibrate wrote. If models vote on several parts of the task: a file for each "
            "part. Or leave it out and give --p and --steps.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="The model to plan for, if the file holds several. Without a file: the model whose list price is used."
        ),
    ] = None,
    p: Annotated[float | None, typer.Option("--p", help="The chance, from 0 to 1, that a valid sample is right.")] = None,
    error: Annotated[
        float | None, typer.Option(help="In place of --p: the chance that a valid sample is wrong, 1 - p.")
    ] = None,
    valid: Annotated[
        float | None, typer.Option(help="The share of samples that are valid: without a red flag. Default: 1.")
    ] = None,
    rho: Annotated[
        float | None,
        typer.Option(
            help="How alike the errors of two samples of one step are (their correlation): 0 if they are independent, 1 if "
            "both samples are always right or both wrong. Default: not known."
        ),
    ] = None,
    rival: Annotated[
        float | None,
        typer.Option(
            help="The share of the most frequent wrong answer among the wrong samples. Default: 1, the worst case: all are "
            "the same."
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="How many steps the task has. Default: as many as the calibrated task has.", min=1)
    ] = None,
    target: Annotated[
        float,
        typer.Option(
            help="The chance, between 0 and 1, that no step is wrong. With --labelled: the share of the decided steps that "
            "must be right."
        ),
    ] = TARGET,
    price: OwnPrice = None,
    tokens: Annotated[
        str | None, typer.Option(metavar="IN,OUT", help="The input and output tokens of a sample, for the cost.")
    ] = None,
    latency: Annotated[float | None, typer.Option(help="How many seconds a reply takes, for the time.", min=0)] = None,
    lookahead: Annotated[int, typer.Option(help="How many steps are voted on at once, for the time.", min=1)] = 1,
    rpm: Annotated[float | None, typer.Option(help="The most requests per minute, for the time.", min=0.001)] = None,
    point: Annotated[
        bool, typer.Option("--point", help="Plan with the measured p, not with the lower (more cautious) end of its interval.")
    ] = False,
    labelled: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[MODEL[@T]=]FILE",
            help="Plan from steps whose right answers are known: the file that maker-graph calibrate wrote, or votes as JSON "
            'Lines such as {"row": 0, "truth": "18", "res": ["18", null, "20"]}. MODEL and T say which model and temperature '
            "gave them. Repeat --labelled for each file. It takes the place of --p and the like.",
        ),
    ] = None,
    cascades: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --labelled: a JSON file of the cascades to try, the most cautious one first. Default: a list of "
            "rules for one model.",
        ),
    ] = None,
    max_review: Annotated[
        float, typer.Option(help="With --labelled: the largest share of the steps that may be left to a person.")
    ] = 1.0,
    confidence: Annotated[
        float, typer.Option(help="With --labelled: the confidence with which the labels prove the target.")
    ] = CONFIDENCE,
    anytime: Annotated[
        bool,
        typer.Option(
            "--anytime",
            help="With --labelled: the proof stays valid if labels are added and you plan again. It takes more labels.",
        ),
    ] = False,
    choose_share: Annotated[
        float,
        typer.Option(
            help="With --labelled: choose on this share of the rows, and prove on the others. 0 tests all cascades on all rows."
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="A number that decides which rows --choose-share takes.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --labelled: the file for the chosen cascade. maker-graph run --cascade takes it."
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Draw pictures (PNG) in FOLDER: figures 3 to 5 of the paper, by the formulas; with --labelled, error and "
            "cost.",
        ),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> Ending:
    """Say which lead k reaches a target, and at what cost; or, from labelled steps, which cascade of models reaches it.

    The target is the chance that no step of the task is wrong. The time and the cost need --latency, and --tokens with --price.
    """
    from maker_graph.calibration.estimates import ModelEstimates, estimates_of
    from maker_graph.calibration.file import read_calibration
    from maker_graph.calibration.lines import Interval
    from maker_graph.calibration.plan import Speed, make_plans

    chances = (model, p, error, valid, rho, rival, price, tokens, latency, rpm) != (None,) * 10 or lookahead != 1 or point
    proof = anytime or (cascades, out, max_review, confidence, choose_share) != (None, None, 1.0, CONFIDENCE, 0.0)
    _see_kind(labelled, chances=chances, proof=proof)
    if labelled:
        need_plan_extra("plan --labelled")
        from maker_graph.calibration.labelled import PlanGoal
        from maker_graph.cli.labelled import plan_from_labels

        return plan_from_labels(
            [*labelled, *map(str, calibrations or ())],
            PlanGoal(target, max_review, confidence, anytime),
            cascades=cascades,
            choose_share=choose_share,
            seed=seed,
            steps=steps,
            plot=plot,
            out=out,
            force=force,
            as_json=as_json,
        )
    drawn = {} if plot is None else {"figures": [str(path) for path in _plot(plot, force=force)]}
    if plot is not None and not calibrations and (p, error) == (None, None):
        return Ending(result=drawn)
    speed = Speed(lookahead, math.inf if rpm is None else rpm)
    if calibrations and len(calibrations) > 1:
        if (p, error, valid, rho, rival, steps, tokens, latency) != (None,) * 8:
            raise UsageError(
                "With several files, all that is known of the model is in them: leave out --p, --steps and the like."
            )
        found = _by_part(
            calibrations, model, target, None if price is None else astuple(parse_price(price)), speed, point=point
        )
        if not as_json:
            _show_parts(found)
        return Ending(result={**found, **drawn})
    if calibrations:
        request, results = read_calibration(calibrations[0])
        estimates, known = estimates_of(_one_of(results, model), point=point), request.total
    elif p is None and error is None:
        raise UsageError("Nothing is known of the model: give the file that maker-graph calibrate wrote, or --p, or --error.")
    else:
        estimates, known = ModelEstimates(p=1.0), None
    if p is not None and error is not None:
        raise UsageError("--p and --error say the same thing: give one of them.")
    chance = p if error is None else 1.0 - error
    if chance is not None:
        estimates = replace(estimates, p=chance, p_interval=None, remarks=[])
    steps = steps or known
    if steps is None:
        raise UsageError("--steps is missing: give the number of steps of the task.")
    given: dict[str, Any] = {
        "valid": valid,
        "rho": None if rho is None else Interval(value=rho, low=rho, high=rho),
        "rival": rival,
        "tokens": None if tokens is None else _tokens(tokens),
        "price": _price(price, None if calibrations else model),
        "latency": latency,
    }
    estimates = replace(estimates, **{name: value for name, value in given.items() if value is not None})
    found = make_plans(estimates, steps, target, speed)
    found["warnings"] += _without_cost(estimates, model)
    if not as_json:
        _show(found)
    return Ending(result={**found, **drawn})


def _see_kind(labelled: list[str] | None, *, chances: bool, proof: bool) -> None:
    """Check that the options are those of one kind of plan: from chances, or from labels (`labelled`).

    Args:
        labelled: the files of labelled steps.
        chances: whether an option of a plan from chances is given.
        proof: whether an option of a plan from labels is given.

    Raises:
        UsageError: the options are mixed.
    """
    if labelled and chances:
        raise UsageError("With --labelled, all that is known is in the labels: leave out --model, --p, --price and the like.")
    if not labelled and proof:
        raise UsageError(
            "--cascades, --max-review, --confidence, --anytime, --choose-share and --out need --labelled FILE: add it, or "
            "leave them out."
        )


def _by_part(
    files: list[Path], model: str | None, target: float, price: tuple[float, float] | None, speed: "Speed", *, point: bool
) -> dict[str, Any]:
    """Return the plan of each part by its name, and the sums of all plans. The parts share the risk evenly.

    Raises:
        UsageError: a file is of no part, or two files are of the same part.
    """
    from maker_graph.calibration.estimates import estimates_of
    from maker_graph.calibration.file import read_calibration
    from maker_graph.calibration.plan import make_plans

    parts: dict[str, dict[str, Any]] = {}
    each = target ** (1 / len(files))
    for file in files:
        request, results = read_calibration(file)
        if not request.part:
            raise UsageError(f"{file} is not about a part of a task: plan with this file alone.")
        if request.part in parts:
            raise UsageError(f"Two files are about the part {request.part!r}: give one for each part.")
        estimates = estimates_of(_one_of(results, model), point=point)
        estimates = estimates if price is None else replace(estimates, price=price)
        parts[request.part] = make_plans(estimates, request.total, each, speed)
    chosen = [plan.get("correlated", plan["independent"]) for plan in parts.values()]
    sums = {name: [column[name] for column in chosen] for name in ("samples", "cost_usd", "hours")}
    whole: dict[str, Any] = {name: None if None in values else sum(values) for name, values in sums.items()}
    chances = [column["p_full"] for column in chosen]
    leads = {name: column["k"] for name, column in zip(parts, chosen, strict=True)}
    return {"target": target, "parts": parts, "k": leads, "p_full": None if None in chances else math.prod(chances), **whole}


def _show_parts(found: dict[str, Any]) -> None:
    for name, plan in found["parts"].items():
        show(shown((f"Part {name}", "bold")))
        _show(plan)
    if found["p_full"] is None:
        show("Not every part reaches its share of the target.")
        return
    leads = ",".join(f"{name}={k}" for name, k in found["k"].items())
    cost = "" if found["cost_usd"] is None else f" for ${found['cost_usd']:,.2f}"
    show(f"Together: a chance of {found['p_full']:.4f}, {found['samples']:,.0f} samples{cost}. Run with --k {leads}")


def _plot(folder: Path, *, force: bool) -> list[Path]:
    """Draw the figures and return their files."""
    need_plan_extra("--plot")
    from maker_graph.report.figures.paper import planning_figures
    from maker_graph.report.figures.style import png

    make_folder(folder)
    pictures = {folder / f"{name}.png": png(figure) for name, figure in planning_figures().items()}
    own = OwnFiles()
    if force:
        own.see(*pictures, force=True)
    own.write(pictures)
    for path in pictures:
        tell(f"{path}")
    return list(pictures)


def _one_of(results: "list[Result]", model: str | None) -> "Result":
    if model is None and len(results) > 1:
        raise UsageError(f"The file holds several models: name one with --model ({', '.join(r.model for r in results)}).")
    for result in results:
        if model in {None, result.model}:
            return result
    raise UsageError(f"The file holds no model {model!r}, only {', '.join(r.model for r in results)}.")


def _price(own: str | None, model: str | None) -> tuple[float, float] | None:
    """Return the user's own price, else the list price of `model`: USD per million input and output tokens."""
    found = parse_price(own) if own is not None else None if model is None else list_price(model)
    return None if found is None else (found.input, found.output)


def _without_cost(estimates: "ModelEstimates", model: str | None) -> list[str]:
    """Return what is missing if a cost was asked for and cannot be computed."""
    if model is not None and estimates.price is None:
        return [f"No price is known for {model}: give --price IN,OUT (USD per million tokens)."]
    if estimates.price is not None and estimates.tokens is None:
        return ["The cost needs the tokens of a sample: give --tokens IN,OUT."]
    return []


def _tokens(text: str) -> tuple[float, float]:
    try:
        given, made = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--tokens must be two numbers, input and output, such as 590,538, not {text!r}.") from None
    return given, made


def _show(found: dict[str, Any]) -> None:
    rho = "not known" if found["rho"] is None else f"{found['rho']:.4g}"
    show(
        f"{found['steps']:,} steps, target {found['target']:g}: p = {found['p']:.6g}, valid {found['valid']:.4g}, "
        f"correlation {rho}, largest rival {found['rival']:.2g}, replies lost {found['lost']:.3g}"
    )
    for name, title in (("independent", "If errors are independent"), ("correlated", "With that correlation")):
        if name in found:
            show(_table(title, found[name]))
    if found["independent"]["k"] is not None:
        show("> marks the lowest k that reaches the target.")
    for warning in found["warnings"]:
        show(shown(("Note:", "yellow"), f" {warning}"))


def _table(title: str, column: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("k", "Chance", "95 %", "Samples", "a step", "Tokens", "Cost", "Hours"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in column["near"]:
        low, high = row["p_full_low"], row["p_full_high"]
        cells = [
            f"{'> ' if row['k'] == column['k'] else ''}{row['k']}",
            f"{row['p_full']:.4f}",
            "" if low is None else f"{low:.4f} to {high:.4f}",
            f"{row['samples']:,.0f}",
            f"{row['samples_per_step']:.2f}",
            "-" if row["tokens"] is None else f"{row['tokens'] / 1e6:,.2f} M",
            "-" if row["cost_usd"] is None else f"${row['cost_usd']:,.2f}",
            "-" if row["hours"] is None else f"{row['hours']:,.1f}",
        ]
        table.add_row(*cells, style="bold" if row["k"] == column["k"] else None)
    return table
