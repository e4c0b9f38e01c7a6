"""What a calibration has measured, shown to a person."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.table import Table

from maker_graph.calibration.estimates import estimates_of
from maker_graph.calibration.file import Calibration
from maker_graph.calibration.lines import CalibrationRequest, Result
from maker_graph.calibration.plan import make_plans
from maker_graph.calibration.votes import in_words
from maker_graph.cli.output import counted, facts, show, shown, tell
from maker_graph.cli.progress import Bar
from maker_graph.core.spending import Account
from maker_graph.models.calls import Calls
from maker_graph.models.copies import Copies
from maker_graph.models.gate import Gate
from maker_graph.statistics.independent import sample_cost

NEARLY_COPIES = 0.95
"""If a larger share of the pairs of samples of one step is alike, their agreement says little."""


def calls_of(rpm: float | None, timeout: float | None, patience: float) -> Calls:
    """Return how the requests of one model are made: `rpm` a minute at most, `timeout` in seconds, `patience` in minutes."""
    how = Calls(gate=Gate(rpm=rpm, notice=tell), copies=Copies(tell))
    return {**how, "timeout": timeout or "auto", "patience": 60 * patience}


@contextmanager
def progress_of(calibration: Calibration, model: str, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Show a live bar of the steps of one model; yield the function to call after each step."""
    if quiet:
        yield lambda: None
        return
    total = calibration.request.steps
    with Bar(model, "steps", total, done=total - len(calibration.missing(model))) as bar:
        yield bar.step


def spent_on(account: Account) -> dict[str, Any]:
    """Return what a calibration has spent; `unsettled` is what was under way when a command was killed, and may be paid for."""
    spent, unsettled = account.spent, account.unsettled
    return {
        "calls": spent.calls,
        "cost_usd": None if spent.unpriced else round(spent.cost, 6),
        "seconds": round(spent.seconds, 3),
        "unsettled": {"calls": unsettled.calls, "cost_usd": round(unsettled.cost, 6)},
    }


def show_results(request: CalibrationRequest, results: list[Result], out: Path, target: float) -> None:
    """Print what was measured of each model, and what each takes to reach `target`."""
    for result in results:
        of = f", part {request.part}" if request.part else ""
        lead = f" on {request.task}{of}: {result.steps:,} steps, {result.samples:,} samples"
        show(shown((result.model, "bold"), lead), facts(_result_rows(result)), "")
    if len(results) > 1:
        _compare(request, results, target)
    show(f"Kept in {out}. Plan with it: maker-graph plan {out}")


def show_temperatures(worth: Sequence[Mapping[str, Any]], files: Sequence[Path]) -> None:
    """Print what agreement is worth at each temperature, and the command that plans with it."""
    table = Table(title="The same steps at each temperature: wrong (decided) if so many agree", title_justify="left", box=None)
    ks = [each["k"] for each in worth[0]["agreed"]] if worth else []
    for name in ("Model", "Temperature", "Right", "Correlation", "Alike", *(f"{k} of {k}" for k in ks)):
        table.add_column(name, justify="left" if name == "Model" else "right", no_wrap=name != "Model")
    for each in worth:
        at = "none" if each["temperature"] is None else in_words(each["temperature"])
        agreed = (f"{_percent(one['wrong'])} ({_percent(one['decided'])})" for one in each["agreed"])
        rho = "-" if each["correlation"] is None else f"{each['correlation']:.2f}"
        table.add_row(shown(each["model"]), at, _percent(each["right"]), rho, _percent(each["alike"]), *agreed)
    show(table)
    if any((each["alike"] or 0.0) > NEARLY_COPIES for each in worth):
        show(f"Where more than {NEARLY_COPIES:.0%} are alike, samples are nearly copies, and their agreement says little.")
    show(f"Plan with them: maker-graph plan {' '.join(f'--labelled {file}' for file in files)} --target .98")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _result_rows(result: Result) -> Iterator[tuple[str, str]]:
    """Yield the lines of the table of one model."""
    error, rho = result.error, result.rho
    yield "Wrong", f"{error.value:.4%} of the valid samples (95 %: {error.low:.4%} to {error.high:.4%})"
    if not result.truth:
        yield "", "from disagreement alone, as if samples erred independently; errors that all of them share are not seen"
    flags = ", ".join(f"{name} {share:.2%}" for name, share in result.flags.items())
    yield "Valid", f"{result.valid.value:.2%}" + (f"; red flags: {flags}" if flags else "")
    if (shares := result.verifier) is not None:
        yield (
            "Verifier",
            (
                f"of the samples {shares.proved:.2%} proved, {shares.valid:.2%} valid, {shares.unknown:.2%} unknown; "
                f"the first one proved on {shares.first:.2%} of the steps, any on {shares.steps:.2%}"
            ),
        )
        if shares.wrong:
            yield "", f"it proved a wrong answer on {counted(shares.wrong, 'step')}: mend verify, because a proof decides alone"
    if rho is not None:
        yield "Correlation", f"{rho.value:.4f} (95 %: {rho.low:.4f} to {rho.high:.4f}) within steps"
        pairs, agree = result.both_wrong
        rival = f"at most {result.rival:.0%} of the wrong samples" if pairs else "not seen: all of them, in the worst case"
        yield "Largest rival", f"{rival} ({agree} of {pairs} wrong pairs agree)"
    if result.variants is not None:
        told = [
            f"{'not seen' if rho is None else f'{rho:.4f}'} ({pairs:,} pairs)"
            for rho, pairs in zip((result.variants.within, result.variants.between), result.variants.pairs, strict=True)
        ]
        yield "Variants", f"correlation {told[0]} of two samples of the same variant, {told[1]} of different ones"
    yield "Tokens", f"{result.input:,.0f} in, {result.output:,.0f} out, for each sample"
    yield "Latency", f"{result.seconds[0]:.2f} s in the median, {result.seconds[1]:.2f} s at 95 %"
    each = ""
    if result.price is not None:
        each = f"; ${sample_cost(result.input, result.output, *result.price):.6f} a sample at list price"
    unknown = "not known: no price for this model (--price tells it)"
    yield "Cost", unknown if result.cost_usd is None else f"${result.cost_usd:,.4f}{each}"
    hard = ", ".join(f"{step.step:,} ({step.wrong} of {step.valid})" for step in result.hard[:5])
    yield "Hardest steps", (hard + " wrong") if hard else "none: no sample was wrong"


def _compare(request: CalibrationRequest, results: list[Result], target: float) -> None:
    """Print the table of the paper's figure 6b: what each model takes to reach the same target, the cheapest first."""
    rows: list[dict[str, Any]] = []
    for result in results:
        plans = make_plans(estimates_of(result), request.total, target)
        rows.append({"result": result, **plans[next(name for name in ("correlated", "independent") if name in plans)]})
    rows.sort(key=lambda row: float("inf") if row["cost_usd"] is None else row["cost_usd"])
    table = Table(title=f"{request.total:,} steps without an error with a chance of {target:g}", title_justify="left", box=None)
    for name in ("Model", "Wrong", "Valid", "Tokens", "$/M out", "k", "Samples", "Cost"):
        table.add_column(name, justify="left" if name == "Model" else "right", no_wrap=name == "Model")
    for row in rows:
        result = row["result"]
        table.add_row(
            shown(result.model),
            f"{result.error.value:.3%}",
            f"{result.valid.value:.1%}",
            f"{result.output:,.0f}",
            "-" if result.price is None else f"{result.price[1]:g}",
            "none" if row["k"] is None else str(row["k"]),
            "-" if row["samples"] is None else f"{row['samples']:,.0f}",
            "-" if row["cost_usd"] is None else f"${row['cost_usd']:,.2f}",
        )
    show(table, _why(rows))


def _why(rows: list[dict[str, Any]]) -> str:
    """Return the sentence that says why the first of `rows` is the cheapest."""
    able = [row for row in rows if row["cost_usd"] is not None]
    if not able:
        return "No plan has a price: either no k reaches the target, or no price is known."
    first, *others = able
    each = first["cost_usd"] / first["samples"]
    text = f"{first['result'].model} is the cheapest: k = {first['k']} at ${each:.6f} a sample"
    if others:
        other = others[0]
        text += f"; {other['result'].model} takes k = {other['k']} at ${other['cost_usd'] / other['samples']:.6f}"
    unable = [row["result"].model for row in rows if row["k"] is None]
    return text + "." + (f" At the measured correlation no k reaches the target with {', '.join(unable)}." if unable else "")
