"""The measuring of `maker-graph calibrate`: the models are asked, into one file or into one for each temperature."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.language_models import BaseChatModel

from maker_graph.calibration.accounts import left, together
from maker_graph.calibration.file import Calibration, open_calibration
from maker_graph.calibration.lines import CalibrationRequest, Result
from maker_graph.calibration.measuring import calibrate
from maker_graph.calibration.votes import in_words
from maker_graph.calibration.worth import Worth, worth_of
from maker_graph.cli.calibrated import calls_of, progress_of, show_results, show_temperatures, spent_on
from maker_graph.cli.output import tell
from maker_graph.core.emitting import emit_of
from maker_graph.models.pricing import Price, list_price, parse_price
from maker_graph.run.account import Limits
from maker_graph.tasks.loading import LoadedTask


@dataclass(frozen=True, slots=True)
class Measuring:
    """How the models of a calibration are asked.

    Attributes:
        loaded: the task.
        chats: name of a model -> its chat model.
        prices: name of a model -> its price, None if not known. The model that writes the answers down is among them.
        own: the user's own prices, by model; that of the only model may be under "".
        limits: the limits of all files together.
        concurrency: how many samples are in flight at most.
        requests: how many are made a minute at most; seconds until one is given up; minutes to wait during an outage.
        probe: whether a real model is first asked a few questions that show whether a cache answers.
        quiet: whether no progress is shown.
    """

    loaded: LoadedTask
    chats: Mapping[str, BaseChatModel]
    prices: Mapping[str, Price | None]
    own: Mapping[str, str]
    limits: Limits
    concurrency: int
    requests: tuple[float | None, float | None, float]
    probe: bool
    quiet: bool


class Measured(NamedTuple):
    """What was measured.

    Attributes:
        results: for each file, the result of each model.
        worth: for each file and model, what agreement is worth.
        spent: what was spent on all files.
    """

    results: list[list[Result]]
    worth: list[dict[str, Any]]
    spent: dict[str, Any]


def at_temperature(out: Path, request: CalibrationRequest) -> Path:
    """Return the file for the temperature of `request`, beside `out`."""
    at = "none" if request.temperature is None else in_words(request.temperature)
    return out.with_name(f"{out.stem}-t{at}{out.suffix}")


def measured(how: Measuring, requests: Sequence[CalibrationRequest], files: Sequence[Path]) -> Measured:
    """Ask for the samples that are missing, one file after the other, and return what was measured.

    Raises:
        MakerError: the measuring stopped. What is in the files is kept, and the same command goes on.
    """
    with ExitStack() as stack:
        opened = [stack.enter_context(open_calibration(*each)) for each in zip(files, requests, strict=True)]
        results = [_one(how, calibration, [other for other in opened if other is not calibration]) for calibration in opened]
        worth: list[Worth] = [worth_of(calibration, model) for calibration in opened for model in calibration.request.models]
        return Measured(results, [each.as_data() for each in worth], spent_on(together([each.account() for each in opened])))


def show_measured(
    requests: Sequence[CalibrationRequest], found: Measured, files: Sequence[Path], target: float, *, compared: bool
) -> None:
    """Print what was measured, and if temperatures are `compared` the table that compares them."""
    for request, results, file in zip(requests, found.results, files, strict=True):
        show_results(request, results, file, target)
    if compared:
        show_temperatures(found.worth, files)


def _one(how: Measuring, calibration: Calibration, others: Sequence[Calibration]) -> list[Result]:
    """Ask all models for the samples that are missing in one file, within what the others have left of the limits."""
    results = []
    rpm, timeout, patience = how.requests
    emit = emit_of(calibration.request.emit)
    writer = None if emit is None else emit.writer
    for name in calibration.request.models:
        with progress_of(calibration, name, quiet=how.quiet) as progress:
            measuring = calibrate(
                calibration,
                how.loaded.task,
                how.chats[name],
                name,
                price=how.prices[name],
                form_price=how.prices.get(writer or ""),
                limits=left(how.limits, [other.account() for other in others]),
                concurrency=how.concurrency,
                calls=calls_of(rpm, timeout, patience),
                probe=how.probe,
                progress=progress,
                warn=tell,
            )
            asyncio.run(measuring)
        if writer is None:
            own = how.own.get(name, how.own.get(""))
            listed = list_price(name, calibration.mean_input(name)) if own is None else parse_price(own)
            price = None if listed is None else (listed.input, listed.output)
        else:
            price = None if None in {how.prices[name], how.prices[writer]} else calibration.mean_price(name)
        results.append(calibration.conclude(name, price))
    return results
