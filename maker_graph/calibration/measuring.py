"""Calibration: how often a model is wrong on the steps of a task, how its errors are correlated, and what a sample costs.

Steps of the task are drawn at random, and each is asked several times, with the very prompt, red flags, output cap and
temperatures of a run. Each step needs at least two samples, because plans rest on the correlation between samples of one step.
If the task knows the right answers (`truth`), samples are held against them. Otherwise samples are held only against each
other, and an error that all samples share cannot be seen.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from langchain_core.language_models import BaseChatModel

from maker_graph.calibration.file import Calibration
from maker_graph.calibration.lines import CalibrationRequest, StepSamples
from maker_graph.calibration.steps import state_at, task_with_truth
from maker_graph.core.answers import candidate_of
from maker_graph.core.ballot import count
from maker_graph.core.canonical import plain
from maker_graph.core.emitting import emit_of
from maker_graph.core.guarding import AnyTask, Guarded, guarded
from maker_graph.core.judging import Judged, Reader, Usage, judge_all
from maker_graph.core.red_flags import Sample
from maker_graph.core.schema import schema_asked
from maker_graph.core.task import Varies
from maker_graph.core.voting import Voting
from maker_graph.errors import MakerError, UsageError
from maker_graph.graph.variants import numbers_of, parse_for, prompt_for, variants_of
from maker_graph.graph.voters import reading_of
from maker_graph.models.calls import Calls
from maker_graph.models.copies import Copies
from maker_graph.models.emitting import AnySampler, sampler_for
from maker_graph.models.names import info_of
from maker_graph.models.pricing import FREE, Price
from maker_graph.models.rehearsing import rehearsed
from maker_graph.models.resolving import resolve_model
from maker_graph.run.account import NOT_KNOWN, Ledger, Limits
from maker_graph.run.asking import priced
from maker_graph.run.copies import see_draws


async def calibrate(
    calibration: Calibration,
    task: AnyTask,
    model: BaseChatModel,
    name: str,
    *,
    price: Price | None = None,
    form_price: Price | None = None,
    limits: Limits = Limits(),  # noqa: B008  immutable
    concurrency: int = 16,
    calls: Calls | None = None,
    probe: bool = False,
    progress: Callable[[], None] = lambda: None,
    warn: Callable[[str], None] = lambda _: None,
) -> None:
    """Ask `model`, named `name`, all steps that are missing in `calibration`; `progress` is called after each.

    `price` is the price of a request to `model`. `form_price` is that of the model that writes the answers, if it is another.

    The limits hold for the file: they include what earlier calls spent, and what was under way when a call was killed.

    With `probe` a real model is asked three small questions first, to see that no cache answers in its place.

    Raises:
        UsageError: samples are copies, so nothing can be measured.
        MakerError: something stopped it; the text says what. The file keeps what it has, and the same call goes on.
    """
    inside = guarded(task)
    request, max_tokens = calibration.request, calibration.request.max_tokens[name]
    if not (missing := calibration.missing(name)):
        return
    price = price or (FREE if info_of(name).ships else NOT_KNOWN)
    ledger = Ledger(calibration, price, limits, warn=warn, advice="Call it again with a higher --max-{}.")
    metered: Calls = {**(calls or {}), "meter": ledger}
    part = inside.voted_parts[request.part] if request.part else inside
    emit = emit_of(request.emit)
    of_form = price
    if emit is not None and emit.writer is not None:
        of_form = priced(form_price, emit.writer) or NOT_KNOWN
        emit = replace(emit, model=resolve_model(emit.writer, seed=request.seed), calls=Calls(meter=ledger.at(of_form)))
    voting = Voting(temperature=request.temperature, max_tokens=max_tokens, seed=request.seed, stop=request.stop, emit=emit)
    sampler = sampler_for(
        [model],
        voting,
        schema=schema_asked(None, part.schema, parsed=True) if request.structured else None,
        calls=metered,
    )
    begins = len(missing) == request.steps
    steps = iter(missing)

    async def work() -> None:
        for number in steps:
            step = await _asked(sampler, model, inside, name, number, request, voting, (price, of_form))
            spent, reserved = ledger.take()
            try:
                calibration.add(step, spent, reserved)
            except MakerError:
                ledger.give_back(spent)
                raise
            progress()

    try:
        async with asyncio.timeout(ledger.seconds_left()) as deadline:
            if probe and begins and info_of(name).kind == "remote":
                await see_draws(model, voting, {**metered, "copies": sampler.copies})
                _see_varied(sampler.copies, name)
            await _together([work() for _ in range(max(1, concurrency // request.samples))])
    except TimeoutError:
        if deadline.expired():
            raise ledger.out_of_time() from None
        raise
    finally:
        with suppress(MakerError):  # what ended it is what matters
            ledger.close()


async def _together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all of them at once; if one fails, the others end too."""
    workers = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _asked(  # noqa: PLR0917  the same for all steps of a model
    sampler: AnySampler,
    model: BaseChatModel,
    task: Guarded,
    name: str,
    number: int,
    request: CalibrationRequest,
    voting: Voting,
    prices: tuple[Price, Price],
) -> StepSamples:
    """Return the samples of one step."""
    state = state_at(task, number)
    part = task.voted(state)
    varied = variants_of(part.variants, state, request.seed) if request.variants and isinstance(part, Varies) else None
    asked = rehearsed(part.prompt if varied is None else lambda _: varied[0], part.rehearse, [model])(state)
    prompts = [prompt_for(asked, index) for index in range(request.samples)]
    samples = await asyncio.gather(*(sampler.adraw(prompt, index) for index, prompt in enumerate(prompts)))
    ids_differ = sampler.look(samples)
    parse_of = None if varied is None else parse_for(*varied)
    how = replace(reading_of(part, state, check=request.check), red_flags=voting.flags, parse_of=parse_of)
    truth = _truth_of(part, state, how) if request.truth and not request.labels else request.labels.get(number)
    judge = partial(judge_all, samples, how, ids_differ=ids_differ)
    judged = judge() if how.verify is None else await asyncio.to_thread(judge)
    if any(j["flag"] == "copy" for j in judged):
        raise UsageError(
            f"Samples of {name} are copies of earlier replies: a cache answers in its place, and nothing can be "
            "measured. Switch the cache off, and calibrate with a new --out."
        )
    cost = math.fsum(_cost(sample, *prices) for sample in samples)
    line = _step_samples(name, number, judged, [sample.seconds for sample in samples], truth, cost)
    return line if varied is None else line.model_copy(update={"variants": numbers_of(varied[0], request.samples)})


def _cost(sample: Sample, price: Price, of_form: Price) -> float:
    """Return what a sample cost; if it is two calls, the second has its own price."""
    own = Usage(input=sample.input_tokens, cached=sample.cached_tokens, output=sample.output_tokens)
    if (first := sample.reasoned) is None:
        return price(own)
    return price(Usage(input=first["input"], cached=first["cached"], output=first["output"])) + of_form(own)


def _see_varied(copies: Copies, name: str) -> None:
    if copies.seen.varied is False:
        raise UsageError(
            f"The samples of {name} are alike where they must differ, so its errors cannot be measured: switch off the cache "
            "in front of it, or raise --temperature. --no-probe leaves out this check."
        )


def _truth_of(task: Guarded, state: Any, how: Reader) -> str:
    """Return the candidate of the right answer."""
    truth = task_with_truth(task).truth(state)
    return candidate_of(truth if how.key is None else how.key(plain(truth)))


def _step_samples(  # noqa: PLR0917  a line of the file, from all that it is made of
    name: str, number: int, judged: Sequence[Judged], seconds: Sequence[float], truth: str | None, cost: float
) -> StepSamples:
    ballot = list(count(j["candidate"] for j in judged if j["flag"] is None))
    right = ballot.index(truth) if truth in ballot else None
    return StepSamples(
        model=name,
        step=number,
        sequence=[j["flag"] or ballot.index(j["candidate"]) for j in judged],
        right=right,
        candidates=[] if right is not None and len(ballot) == 1 else ballot,
        input=sum(j["usage"]["input"] for j in judged),
        cached=sum(j["usage"]["cached"] for j in judged),
        lengths=[j["usage"]["output"] for j in judged],
        seconds=[round(each, 4) for each in seconds],
        cost=cost,
        lost=sum(j["lost"] for j in judged),
        standings=[j.get("standing", "") for j in judged] if any("standing" in j for j in judged) else [],
    )
