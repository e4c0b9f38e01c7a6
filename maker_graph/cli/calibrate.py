"""`maker-graph calibrate`: measure a model, or several, on random steps of a task."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maker_graph.cli import options as opt
from maker_graph.cli.app import Ending, app
from maker_graph.cli.output import tell
from maker_graph.cli.task_command import TaskCommand
from maker_graph.core.emitting import emit_of, kept_emit
from maker_graph.core.voting import MAX_TOKENS as PAPERS_CAP
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError
from maker_graph.extras import need_plan_extra
from maker_graph.models.names import PATIENCE, info_of
from maker_graph.statistics.forecast import TARGET

if TYPE_CHECKING:
    from maker_graph.models.pricing import Price
    from maker_graph.tasks.loading import LoadedTask

SAMPLES_AT_EACH = 8
"""Samples of each step by default, if temperatures are compared. There must be enough to see five that agree."""


@app.command(
    "calibrate",
    cls=TaskCommand,
    epilog="Examples:\n\n"
    "  maker-graph calibrate hanoi --disks 10 --model sim:gpt-4.1-mini --out mini.jsonl   # no key, no cost\n\n"
    "  maker-graph calibrate hanoi --disks 20 --model openai:gpt-4.1-mini --model openai:gpt-4.1-nano --max-cost 5\n\n"
    "  maker-graph calibrate records --input rows.csv --model openai:gpt-4.1-nano --no-truth --samples 5\n\n"
    "  maker-graph calibrate records --input rows.csv --model openai:gpt-4.1-nano --labelled labels.jsonl "
    "--temperatures 0,.1,.4,.7,1",
)
def calibrate_command(
    task: opt.TaskName,
    model: Annotated[
        list[str],
        typer.Option(
            help="The model that is measured: PROVIDER:MODEL, sim:PROFILE (simulated) or tiny. Repeat --model to compare "
            "several."
        ),
    ],
    steps: Annotated[
        int, typer.Option(help="How many random steps the model is asked; all, if the task has no more.", min=1)
    ] = 1000,
    samples: Annotated[
        int | None,
        typer.Option(
            help="How many samples (replies) of each step are drawn, at least 2. More show better whether the errors at one "
            "step are alike. Default: 2; with --temperatures 8."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The file that keeps the samples. The same command goes on with it. Default: calibration-TASK.jsonl.",
        ),
    ] = None,
    disks: opt.Disks = None,
    source: opt.Source = None,
    sets: opt.Sets = None,
    part: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which part of the task is asked, if models vote on several.")
    ] = None,
    temperature: opt.TemperatureOption = "auto",
    temperatures: Annotated[
        str | None,
        typer.Option(
            metavar="T,T,...",
            help="Ask the same steps at each of these temperatures, such as 0,.4,.7, and compare them. Each has a file of "
            "its own. Three or more numbers in --temperature mean the same.",
        ),
    ] = None,
    labelled: Annotated[
        Path | None,
        typer.Option(
            metavar="LABELS",
            help="Ask the steps that are in a file of maker-graph label, and compare the samples with its labels. --steps "
            "is not used then.",
        ),
    ] = None,
    max_tokens: opt.MaxTokens = None,
    check: opt.Check = True,
    variants: Annotated[
        bool,
        typer.Option(
            "--variants",
            help="Ask each sample one of several forms of the same question, and show how alike the errors are within a "
            "form and between forms. The task must have such forms.",
        ),
    ] = False,
    stop: opt.StopAt = None,
    structured: opt.Structured = False,
    emit: opt.EmitBy = None,
    truth: Annotated[
        bool,
        typer.Option(
            "--truth/--no-truth",
            help="Compare the samples with the right answers that the task knows, or only with each other.",
        ),
    ] = True,
    target: opt.Target = TARGET,
    seed: Annotated[
        int | None,
        typer.Option(
            help="A number that decides which steps are drawn, and which samples tiny and simulated models give. Default: 1 "
            "for these models; others are sent no seed."
        ),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            help="Stop before more USD than this are spent by all commands on the same --out together. Default: no limit.",
            min=0,
        ),
    ] = None,
    max_calls: Annotated[
        int | None,
        typer.Option(
            help="Stop before more requests than this are made, failed ones included. Counted like --max-cost.", min=0
        ),
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(help="Stop after this many minutes of work. Counted like --max-cost.", min=0)
    ] = None,
    price: opt.OwnPrice = None,
    concurrency: Annotated[int, typer.Option(help="The most samples in flight at once.", min=1)] = 16,
    rpm: opt.Rpm = None,
    timeout: opt.Timeout = None,
    patience: opt.Patience = PATIENCE / 60,
    probe: opt.Probe = True,
    quiet: opt.Quiet = False,
    as_json: opt.AsJson = False,
) -> Ending:
    """Measure how often a model is wrong on random steps of a task, how alike its errors are, and what a sample costs.

    maker-graph plan and --calibration of maker-graph run use the file that this command writes.
    """
    from maker_graph.calibration.lines import CalibrationRequest
    from maker_graph.calibration.steps import calibratable_steps, part_named, see_varies
    from maker_graph.cli.calibrating import Measuring, at_temperature, measured, show_measured
    from maker_graph.models.pricing import own_prices
    from maker_graph.models.resolving import model_for
    from maker_graph.run.account import Limits

    need_plan_extra("calibrate")
    models = list(dict.fromkeys(model))
    if temperatures is None and temperature.count(",") > 1:
        temperature, temperatures = "auto", temperature
    heats = [opt.parse_temperature(temperature)] if temperatures is None else opt.parse_temperatures(temperatures)
    samples = samples or (2 if temperatures is None else SAMPLES_AT_EACH)
    _see_options(models, temperature, temperatures, samples, price)
    loaded = opt.task_named(task, disks, source, sets)
    asked = part_named(loaded.task, part)
    if variants:
        see_varies(loaded.task, asked)
    total, among = calibratable_steps(loaded.task, asked, truth=truth and labelled is None)
    labels, use = ({}, "") if labelled is None else _labels_of(labelled, loaded, asked, among or range(total))
    if labelled is not None:
        among, steps = sorted(labels), len(labels)
    seed = info_of(models[0]).seed if seed is None else seed
    said = {name: Voting(max_tokens=max_tokens or "auto") for name in models}
    request = CalibrationRequest(
        task=task,
        options=loaded.options,
        inputs=loaded.inputs,
        total=total,
        models=models,
        max_tokens={name: info_of(name).suited(each).output_cap or PAPERS_CAP for name, each in said.items()},
        steps=min(steps, total),
        samples=samples,
        temperature=None,
        check=check,
        truth=truth or bool(labels),
        seed=seed,
        part=asked,
        among=among,
        labels=labels,
        variants=variants,
        use=use,
        stop=[opt.unescaped(each) for each in stop or []],
        structured=structured,
        emit=kept_emit(emit),
    )
    at = [info_of(models[0]).suited(Voting(temperature=heat)).temperatures for heat in heats]
    requests = [request.model_copy(update={"temperature": each}) for each in at]
    out = out or Path(f"calibration-{task.rpartition(':')[2]}{asked and '-'}{asked}.jsonl")
    files = [out] if temperatures is None else [at_temperature(out, each) for each in requests]
    if steps > total and not quiet:
        tell(f"The task has {total:,} steps{' that are voted on' if among else ''}: all of them are asked.")
    measuring = Measuring(
        loaded=loaded,
        chats={name: model_for(name, loaded.task, seed) for name in models},
        prices=_prices(models, emit, price, max_cost),
        own=own_prices(price),
        limits=Limits(max_cost, max_calls, max_minutes),
        concurrency=concurrency,
        requests=(rpm, timeout, patience),
        probe=probe,
        quiet=quiet or (as_json and not sys.stderr.isatty()),
    )
    found = measured(measuring, requests, files)
    if not (as_json or quiet):
        show_measured(requests, found, files, target, compared=temperatures is not None)
    plainly = [each.model_dump() for results in found.results for each in results]
    if temperatures is None:
        return Ending(result={"file": str(out), "results": plainly, "spent": found.spent})
    plain = {"files": [str(file) for file in files], "results": plainly, "temperatures": found.worth, "spent": found.spent}
    return Ending(result=plain)


def _prices(models: Sequence[str], emit: str | None, own: str | None, max_cost: float | None) -> "dict[str, Price | None]":
    """Return the price of each model, and of the one that writes the answers down; None if it is not known.

    Raises:
        UsageError: there is a price for a model that is not asked, or one is needed and not known.
    """
    from maker_graph.models.pricing import other_price, own_prices, price_for

    said, how = own_prices(own), emit_of(emit)
    writers = [] if how is None or how.writer is None else [how.writer]
    if strange := sorted(said.keys() - {"", *models, *writers}):
        raise UsageError(f"--price names {strange[0]}, which is not asked. Asked are: {', '.join([*models, *writers])}.")
    prices = {name: other_price(name, max_cost, said.get(name)) for name in writers}
    return prices | {name: price_for(name, said.get(name, said.get("")), max_cost) for name in models}


def _labels_of(file: Path, loaded: "LoadedTask", part: str, among: Sequence[int]) -> tuple[dict[int, str | None], str]:
    """Return the labels in a file by their steps, and what they are for.

    Raises:
        UsageError: it is not a file of labels, or one of another task.
    """
    from maker_graph.calibration.steps import labelled_steps
    from maker_graph.run.labels import read_labels

    header, said = read_labels(file, "certify", "choose")
    return labelled_steps(header, said, loaded, part, among), header.use


def _see_options(models: Sequence[str], temperature: str, temperatures: str | None, samples: int, price: str | None) -> None:
    """Make sure that the options of a calibration fit together.

    Raises:
        UsageError: they do not.
    """
    if samples < 2:
        raise UsageError("--samples must be at least 2: one sample of a step says nothing about how errors are correlated.")
    if temperatures is not None and temperature != "auto":
        raise UsageError("--temperature is for one measurement, --temperatures compares several: give one of them.")
    if temperatures is None and temperature == "auto" and len({info_of(name).temperature for name in models}) > 1:
        raise UsageError("By default these models have different temperatures: give one for all of them with --temperature.")
    from maker_graph.models.pricing import own_prices

    if "" in own_prices(price) and len(models) > 1:
        raise UsageError("--price IN,OUT is for one model: for several, give 'MODEL=IN,OUT; MODEL=IN,OUT'.")
