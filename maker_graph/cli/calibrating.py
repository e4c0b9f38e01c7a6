"""`maker-graph calibrate`: measure a model, or several, on random steps of a task."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from maker_graph.calibration.file import Calibration
from maker_graph.calibration.file import opened as opened_calibration
from maker_graph.calibration.lines import Asked, Result
from maker_graph.calibration.plan import basis_of, outlook
from maker_graph.calibration.steps import calibratable
from maker_graph.cli.app import app, clear_errors, tell
from maker_graph.cli.options import (
    AsJson,
    Check,
    Disks,
    MaxCalls,
    MaxCost,
    MaxTokens,
    OwnPrice,
    Patience,
    Quiet,
    Rpm,
    Source,
    Target,
    TaskName,
    TemperatureOption,
    Timeout,
    parse_temperature,
    task_named,
)
from maker_graph.core.voting import MAX_TOKENS as PAPERS_CAP
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError
from maker_graph.extras import need_plan_extra
from maker_graph.models.names import PATIENCE, TIMEOUT, info_of
from maker_graph.models.pricing import list_price, parse_price, price_for
from maker_graph.run.settings import TARGET
from maker_graph.statistics.independent import sample_cost


@app.command(
    "calibrate",
    epilog="Examples:\n\n  maker-graph calibrate hanoi --disks 10 --model sim:gpt-4.1-mini --out mini.jsonl\n\n"
    "  maker-graph calibrate hanoi --disks 20 --model openai:gpt-4.1-mini --model openai:gpt-4.1-nano --max-cost 5\n\n"
    "  maker-graph calibrate records --input rows.csv --model openai:gpt-4.1-nano --no-truth --samples 5",
)
def calibrate_command(
    task: TaskName,
    model: Annotated[
        list[str], typer.Option(help="provider:model, sim:PROFILE, or tiny; several are compared, give the option for each.")
    ],
    steps: Annotated[int, typer.Option(help="Random steps that are asked; all, if the task has no more.", min=1)] = 1000,
    samples: Annotated[int, typer.Option(help="Of each step; two show how errors are correlated, more show it better.")] = 2,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where all of it is kept. Default: calibration-TASK.jsonl.")
    ] = None,
    disks: Disks = 10,
    source: Source = None,
    temperature: TemperatureOption = "auto",
    max_tokens: MaxTokens = None,
    check: Check = True,
    truth: Annotated[
        bool, typer.Option("--truth/--no-truth", help="Hold samples against the right answers, or only against each other.")
    ] = True,
    target: Target = TARGET,
    seed: Annotated[
        int | None, typer.Option(help="Which steps are drawn; for models that ship or are simulated, also which samples.")
    ] = None,
    max_cost: MaxCost = None,
    max_calls: MaxCalls = None,
    max_minutes: Annotated[float | None, typer.Option(help="Stop after so many minutes.", min=0)] = None,
    price: OwnPrice = None,
    concurrency: Annotated[int, typer.Option(help="Samples in flight at once.", min=1)] = 16,
    rpm: Rpm = None,
    timeout: Timeout = TIMEOUT,
    patience: Patience = PATIENCE / 60,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Measure how often a model is wrong on random steps of a task, how its errors are correlated, and what a sample costs."""
    with clear_errors():
        need_plan_extra("calibrate")
        from maker_graph.calibration.measuring import calibrate
        from maker_graph.models.gate import Gate
        from maker_graph.models.resolving import model_for
        from maker_graph.models.sampler import Calls
        from maker_graph.run.account import Limits

        models = list(dict.fromkeys(model))
        if samples < 2:
            raise UsageError("--samples must be at least 2: one sample of a step says nothing about how errors are correlated.")
        both = parse_temperature(temperature)
        if both == "auto" and len({info_of(name).temperature for name in models}) > 1:
            raise UsageError(
                "These models are sampled at different temperatures: say with --temperature at which all of them are."
            )
        if price is not None and len(models) > 1:
            raise UsageError("--price is of one model: calibrate several at their list prices, or one after the other.")
        loaded = task_named(task, disks, source)
        total = calibratable(loaded.task, truth=truth)
        seed = info_of(models[0]).seed if seed is None else seed
        suited = {name: info_of(name).suited(Voting(temperature=both, max_tokens=max_tokens or "auto")) for name in models}
        asked = Asked(
            task=task,
            options=loaded.options,
            total=total,
            models=models,
            caps={name: suited[name].output_cap or PAPERS_CAP for name in models},
            steps=min(steps, total),
            samples=samples,
            temperature=suited[models[0]].temperatures,
            check=check,
            truth=truth,
            seed=seed,
        )
        chats = {name: model_for(name, loaded.task, seed) for name in models}
        prices = {name: price_for(name, price, max_cost) for name in models}
        out = out or Path(f"calibration-{task.rpartition(':')[2]}.jsonl")
        if steps > total and not quiet:
            tell(f"The task has {total:,} steps: all of them are asked.")
        with opened_calibration(out, asked) as calibration:
            results = []
            for name in models:
                with _progress(calibration, name, quiet=quiet or (as_json and not sys.stderr.isatty())) as progress:
                    asyncio.run(
                        calibrate(
                            calibration,
                            loaded.task,
                            chats[name],
                            name,
                            price=prices[name],
                            limits=Limits(max_cost, max_calls, max_minutes),
                            concurrency=concurrency,
                            calls=Calls(gate=Gate(rpm=rpm, notice=tell), timeout=timeout, patience=60 * patience),
                            progress=progress,
                        )
                    )
                listed = parse_price(price) if price is not None else list_price(name)
                results.append(calibration.conclude(name, None if listed is None else (listed.input, listed.output)))
        if as_json:
            sys.stdout.write(json.dumps({"file": str(out), "results": [each.model_dump() for each in results]}) + os.linesep)
        elif not quiet:
            _show(asked, results, out, target)


@contextmanager
def _progress(calibration: Calibration, model: str, *, quiet: bool) -> Iterator[Callable[[], None]]:
    if quiet:
        yield lambda: None
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        done = calibration.asked.steps - len(calibration.missing(model))
        shown = bar.add_task(model, total=calibration.asked.steps, completed=done)
        yield lambda: bar.advance(shown)


def _show(asked: Asked, results: list[Result], out: Path, target: float) -> None:
    console = Console(highlight=False)
    for result in results:
        console.print(f"[bold]{result.model}[/] on {asked.task}: {result.steps:,} steps, {result.samples:,} samples")
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        for name, value in _rows(result):
            table.add_row(name, value)
        console.print(table)
        console.print()
    if len(results) > 1:
        _compare(console, asked, results, target)
    console.print(f"Kept in {out}. Plan with it: maker-graph plan {out}")


def _rows(result: Result) -> Iterator[tuple[str, str]]:
    """Yield the lines of the table of one model."""
    error, rho = result.error, result.rho
    yield "Wrong", f"{error.value:.4%} of the valid samples (95 %: {error.low:.4%} to {error.high:.4%})"
    if not result.truth:
        yield "", "from disagreement alone, as if samples erred independently; errors that all of them share are not seen"
    flags = ", ".join(f"{name} {share:.2%}" for name, share in result.flags.items())
    yield "Valid", f"{result.valid.value:.2%}" + (f"; red flags: {flags}" if flags else "")
    if rho is not None:
        yield "Correlation", f"{rho.value:.4f} (95 %: {rho.low:.4f} to {rho.high:.4f}) within steps"
        pairs, agree = result.both_wrong
        rival = f"at most {result.rival:.0%} of the wrong samples" if pairs else "not seen: all of them, in the worst case"
        yield "Largest rival", f"{rival} ({agree} of {pairs} wrong pairs agree)"
    yield "Tokens", f"{result.input:,.0f} in, {result.output:,.0f} out, for each sample"
    yield "Latency", f"{result.seconds[0]:.2f} s in the median, {result.seconds[1]:.2f} s at 95 %"
    each = ""
    if result.price is not None:
        each = f"; ${sample_cost(result.input, result.output, *result.price):.6f} a sample at list price"
    yield "Cost", f"${result.cost_usd:,.4f}{each}"
    hard = ", ".join(f"{step.step:,} ({step.wrong} of {step.valid})" for step in result.hard[:5])
    yield "Hardest steps", (hard + " wrong") if hard else "none: no sample was wrong"


def _compare(console: Console, asked: Asked, results: list[Result], target: float) -> None:
    """Print the table of the paper's figure 6b: what each model takes to reach the same target, the cheapest first."""
    rows: list[dict[str, Any]] = []
    for result in results:
        plans = outlook(basis_of(result), asked.total, target)
        rows.append({"result": result, **plans[next(name for name in ("correlated", "independent") if name in plans)]})
    rows.sort(key=lambda row: float("inf") if row["cost_usd"] is None else row["cost_usd"])
    table = Table(title=f"{asked.total:,} steps without an error with a chance of {target:g}", title_justify="left", box=None)
    for name in ("Model", "Wrong", "Valid", "Tokens", "$/M out", "k", "Samples", "Cost"):
        table.add_column(name, justify="left" if name == "Model" else "right", no_wrap=name == "Model")
    for row in rows:
        result = row["result"]
        table.add_row(
            result.model,
            f"{result.error.value:.3%}",
            f"{result.valid.value:.1%}",
            f"{result.output:,.0f}",
            "-" if result.price is None else f"{result.price[1]:g}",
            "none" if row["k"] is None else str(row["k"]),
            "-" if row["samples"] is None else f"{row['samples']:,.0f}",
            "-" if row["cost_usd"] is None else f"${row['cost_usd']:,.2f}",
        )
    console.print(table)
    console.print(_why(rows))


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
    return text + "." + (f" At the correlation measured no k reaches it with {', '.join(unable)}." if unable else "")
