"""Calibration: how often a model is wrong on the steps of a task, how its errors are correlated, and what a sample costs.

Steps of the task are drawn at random, and each is asked several times, with the very prompt, red flags, output cap and
temperatures of a run: the first sample at its own temperature, as there. At least two samples a step: what the second says of
the first is the correlation that plans rest on. Where the task knows the right answers (`truth`), samples are held against
them; without, only against each other, and an error that all samples share cannot be seen.

The file is JSON lines: what was asked for; a line for each step, on disk before the next is written; at the end the result of
each model. What a line says was paid for once: the same call goes on where it was interrupted. Only the result needs numpy and
scipy (`estimation.py`); a file is read without them.
"""

import asyncio
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field, replace
from pathlib import Path
from random import Random
from statistics import fmean, median, quantiles
from typing import IO, Any, Literal

from langchain_core.language_models import BaseChatModel
from pydantic import BaseModel, ConfigDict, ValidationError

from maker_graph.core.answers import candidate_of
from maker_graph.core.ballot import count
from maker_graph.core.canonical import plain
from maker_graph.core.characters import visible
from maker_graph.core.decision import Judged, Reading, Usage, judge_all
from maker_graph.core.guarding import guarded
from maker_graph.core.task import Known, Located, Task, total_of
from maker_graph.core.voting import Voting
from maker_graph.errors import LimitReached, UsageError
from maker_graph.graph.ladder import reading_of
from maker_graph.models.pricing import Price
from maker_graph.models.sampler import Call, Calls, Sampler
from maker_graph.run.account import Limits

HARD_STEPS = 20
"""Steps with wrong samples that a result lists at most, the hardest first."""


class Asked(BaseModel):
    """What a calibration was asked for: the first line of its file, in which nothing can change.

    Attributes:
        calibration: the version of the file's form.
        task: as in a run.
        options: what the task is made with.
        total: the steps of the task.
        models: each `provider:model`, in the order in which they are calibrated.
        caps: the output cap of each model's samples.
        steps: how many steps are asked.
        samples: of each step, by each model.
        temperature: of the first sample and of the others; None leaves it to the model.
        check: whether answers that break the task's rules are flagged.
        truth: whether samples are held against the right answers, or only against each other.
        seed: of the choice of steps, and of a simulated model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    calibration: Literal[1] = 1
    task: str
    options: dict[str, Any]
    total: int
    models: list[str]
    caps: dict[str, int]
    steps: int
    samples: int
    temperature: tuple[float, float] | None
    check: bool
    truth: bool
    seed: int | None


class Step(BaseModel):
    """One model's samples of one step: a line of the file.

    Attributes:
        model: who was asked.
        step: which step, counted from 0.
        sequence: of each sample the place of its candidate, or its red flag.
        right: the place of the right candidate; None if nobody voted for it, or the truth is not known.
        candidates: what was voted for, left empty if all of it was right.
        input: tokens of all samples.
        cached: those of them that the provider had in its cache.
        lengths: output tokens of each sample.
        seconds: how long each reply took.
        cost: USD of all samples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    step: int
    sequence: list[int | str]
    right: int | None
    candidates: list[str]
    input: int
    cached: int
    lengths: list[int]
    seconds: list[float]
    cost: float

    def votes(self) -> Counter[int]:
        """Return the votes of each candidate, by its place."""
        return Counter(place for place in self.sequence if isinstance(place, int))


class Interval(BaseModel):
    """An estimate with its 95 % interval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float
    low: float
    high: float


class HardStep(BaseModel):
    """A step with wrong samples.

    Attributes:
        step: which, counted from 0.
        wrong: samples; without the truth, those that do not agree with the most frequent answer.
        valid: samples without a red flag.
        answers: what the wrong ones say -> samples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: int
    wrong: int
    valid: int
    answers: dict[str, int]


class Result(BaseModel):
    """What was measured of one model.

    Attributes:
        model: `provider:model`.
        truth: whether samples were held against right answers; else only against each other.
        steps: that were asked.
        samples: that were drawn.
        valid: share of the samples without a red flag.
        flags: red flag -> share of the samples.
        p: probability that a valid sample is right.
        error: 1 - p.
        rho: correlation of the errors of two samples of one step; None if it cannot be told.
        rival: the largest share of the wrong samples that may give the most frequent wrong answer; 1 is the worst case.
        both_wrong: pairs of wrong samples of one step, and how many of them agree; `rival` is from these.
        input: mean tokens of a sample.
        output: mean tokens of a sample.
        seconds: median and 95th percentile of how long a reply took.
        price: USD per million tokens of input and output; None if not known.
        cost_usd: what the calibration cost.
        hard: the steps with the most wrong samples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    result: Literal[1] = 1
    model: str
    truth: bool
    steps: int
    samples: int
    valid: Interval
    flags: dict[str, float]
    p: Interval
    error: Interval
    rho: Interval | None
    rival: float
    both_wrong: tuple[int, int]
    input: float
    output: float
    seconds: tuple[float, float]
    price: tuple[float, float] | None
    cost_usd: float
    hard: list[HardStep]


# -------------------------------------------------------------------------------------------------------- what was measured


def measured(asked: Asked, model: str, steps: Sequence[Step], price: tuple[float, float] | None) -> Result:
    """Return what the samples of one model show.

    Raises:
        UsageError: no sample was valid, so nothing can be said.
    """
    from maker_graph.statistics import estimation  # noqa: PLC0415  numpy and scipy are an extra, and a file is read without them

    sequences = [step.sequence for step in steps]
    samples = sum(map(len, sequences))
    flags = count(flag for sequence in sequences for flag in sequence if isinstance(flag, str))
    kept = samples - sum(flags.values())
    if kept == 0:
        raise UsageError(f"{model}: no sample was valid ({dict(flags)}), so nothing can be measured.")
    if asked.truth:
        found = estimation.errors(count_wrong(steps), seed=asked.seed or 0)
        error, rho = found.error, Interval(**found.rho._asdict())
    else:
        error, rho = _from_agreement(steps), None
    agree, pairs = _wrong_pairs(steps) if asked.truth else (0, 0)
    seconds = [each for step in steps for each in step.seconds]
    return Result(
        model=model,
        truth=asked.truth,
        steps=len(steps),
        samples=samples,
        valid=Interval(**estimation.share(kept, samples)._asdict()),
        flags={name: number / samples for name, number in sorted(flags.items())},
        p=Interval(value=1 - error.value, low=1 - error.high, high=1 - error.low),
        error=Interval(**error._asdict()),
        rho=rho,
        rival=math.sqrt(estimation.share(agree, pairs).high) if pairs else 1.0,
        both_wrong=(pairs, agree),
        input=sum(step.input for step in steps) / samples,
        output=fmean(length for step in steps for length in step.lengths),
        seconds=(median(seconds), quantiles(seconds, n=20, method="inclusive")[-1]),
        price=price,
        cost_usd=round(sum(step.cost for step in steps), 6),
        hard=_hard(steps, truth=asked.truth),
    )


def count_wrong(steps: Sequence[Step]) -> Counter[tuple[int, int]]:
    """Return how many steps had so many valid samples and so many wrong ones among them."""
    counts: Counter[tuple[int, int]] = Counter()
    for step in steps:
        votes = step.votes()
        valid = votes.total()
        if valid:
            counts[valid, valid - (0 if step.right is None else votes[step.right])] += 1
    return counts


def _wrong_pairs(steps: Sequence[Step]) -> tuple[int, int]:
    """Return of the pairs of wrong samples of one step how many agree, and how many there are.

    With shares f of the wrong answers a pair agrees with probability sum f^2, which is at least (largest f)^2.
    """
    agree = pairs = 0
    for step in steps:
        wrong = [number for place, number in step.votes().items() if place != step.right]
        pairs += math.comb(sum(wrong), 2)
        agree += sum(math.comb(number, 2) for number in wrong)
    return agree, pairs


def _from_agreement(steps: Sequence[Step]) -> Any:
    """Return the error rate that the disagreement between the samples of a step shows, if they err independently.

    In the worst case of one rival two samples disagree with probability 2 e (1 - e).
    """
    from maker_graph.statistics import estimation  # noqa: PLC0415  as in `measured`

    pairs = disagree = 0
    for step in steps:
        votes = step.votes()
        pairs += math.comb(votes.total(), 2)
        disagree += math.comb(votes.total(), 2) - sum(math.comb(number, 2) for number in votes.values())
    if pairs == 0:
        raise UsageError("No step has two valid samples that could agree or not: ask for more samples.")
    samples = max(step.votes().total() for step in steps)
    independent = 1 / (samples - 1)  # of the pairs of one step, so many are worth one of their own
    return estimation.Estimate(*map(_error_of, estimation.share(disagree * independent, pairs * independent)))


def _error_of(disagreement: float) -> float:
    return (1 - math.sqrt(max(0.0, 1 - 2 * disagreement))) / 2


def _hard(steps: Sequence[Step], *, truth: bool) -> list[HardStep]:
    found = []
    for step in steps:
        votes = step.votes()
        right = step.right if truth else votes.most_common(1)[0][0] if votes else None
        wrong = {place: number for place, number in votes.items() if place != right}
        if wrong:
            answers = {visible(step.candidates[place])[:200]: number for place, number in wrong.items()}
            found.append(HardStep(step=step.step, wrong=sum(wrong.values()), valid=votes.total(), answers=answers))
    return sorted(found, key=lambda hard: (-hard.wrong / hard.valid, -hard.wrong, hard.step))[:HARD_STEPS]


# ------------------------------------------------------------------------------------------------------------------ the file


def read(path: Path) -> tuple[Asked, list[Result]]:
    """Return what a calibration was asked for and its results, one for each model.

    Raises:
        UsageError: the file cannot be read, is no calibration, or is not finished.
    """
    asked, _, results = _read(path)
    missing = [model for model in asked.models if model not in results]
    if missing:
        raise UsageError(f"{path} is not finished ({', '.join(missing)}): call maker-graph calibrate again as before.")
    return asked, [results[model] for model in asked.models]


def _read(path: Path) -> tuple[Asked, dict[tuple[str, int], Step], dict[str, Result]]:
    steps: dict[tuple[str, int], Step] = {}
    results: dict[str, Result] = {}
    try:
        first, *lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # what follows the last line end is half a line
        asked = Asked.model_validate_json(first)
        for line in lines:
            if line.startswith('{"result"'):
                result = Result.model_validate_json(line)
                results[result.model] = result
            else:
                step = Step.model_validate_json(line)
                steps[step.model, step.step] = step
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        raise UsageError(f"{path} is no calibration, or is damaged ({error.errors()[0]['msg']}).") from None
    except (ValueError, UnicodeDecodeError):
        raise UsageError(f"{path} is no calibration.") from None
    return asked, steps, results


@dataclass(slots=True)
class Calibration:
    """An open file: what is in it, and where the next line goes."""

    asked: Asked
    steps: dict[tuple[str, int], Step]
    results: dict[str, Result]
    _file: IO[str]

    def add(self, step: Step) -> None:
        """Keep a step; on return it is on disk."""
        self._write(step)
        self.steps[step.model, step.step] = step

    def conclude(self, model: str, price: tuple[float, float] | None) -> Result:
        """Measure a model, all of whose steps are there, and keep the result."""
        if model not in self.results:
            steps = [step for (name, _), step in sorted(self.steps.items()) if name == model]
            self.results[model] = measured(self.asked, model, steps, price)
            self._write(self.results[model])
        return self.results[model]

    def missing(self, model: str) -> list[int]:
        """Return the steps that `model` was not asked yet, in the order in which they were drawn."""
        return [step for step in chosen(self.asked) if (model, step) not in self.steps]

    def _write(self, line: BaseModel) -> None:
        try:
            self._file.write(line.model_dump_json() + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise LimitReached(f"The calibration cannot be written ({error.strerror}): make room and call it again.") from None


@contextmanager
def opened(path: Path, asked: Asked) -> Iterator[Calibration]:
    """Open the file of a calibration, or begin it.

    Raises:
        UsageError: the file is there and holds something else.
        LimitReached: it cannot be written.
    """
    known = path.exists() and path.stat().st_size > 0
    steps: dict[tuple[str, int], Step] = {}
    results: dict[str, Result] = {}
    if known:
        before, steps, results = _read(path)
        if before != asked:
            differ = [name for name in Asked.model_fields if getattr(before, name) != getattr(asked, name)]
            raise UsageError(
                f"{path} holds a calibration with another {', '.join(differ)}: call it as before, or give another --out."
            )
    try:
        path.touch(mode=0o600)  # replies are for the owner's eyes
        file = path.open("r+", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
    with file:
        whole = path.read_bytes().rpartition(b"\n")[0]
        file.truncate(len(whole) + 1 if whole else 0)
        file.seek(0, os.SEEK_END)
        calibration = Calibration(asked, steps, results, file)
        if not known:
            calibration._write(asked)  # noqa: SLF001  its own
        yield calibration


def chosen(asked: Asked) -> list[int]:
    """Return the steps to ask, drawn at random without repetition."""
    return Random(f"calibration {asked.seed}").sample(range(asked.total), asked.steps)  # noqa: S311  no secret


# ------------------------------------------------------------------------------------------------------------------ sampling


def state_at(task: Task, step: int) -> Any:
    """Return the state of `task` before `step`, counted from 0: made there, or walked to by the right answers.

    Raises:
        UsageError: the task can do neither.
    """
    if isinstance(task, Located):
        return task.state_at(step)
    state = task.start()
    for _ in range(step):
        state = task.apply(state, _known(task).truth(state))
    return state


def calibratable(task: Task, *, truth: bool) -> int:
    """Return the number of steps of a task that can be calibrated.

    Raises:
        UsageError: the task lacks a function that this needs; the text says which.
    """
    total = total_of(task)
    if total is None:
        raise UsageError("The task has no total(): a calibration draws steps at random, and must know how many there are.")
    if truth and not isinstance(task, Known):
        raise UsageError("The task has no truth(state), so right and wrong cannot be told: use --no-truth, or give it one.")
    if not isinstance(task, Located | Known):
        raise UsageError("The task has no state_at(step), so its steps cannot be drawn at random: give it one.")
    return total


async def calibrate(
    calibration: Calibration,
    task: Task,
    model: BaseChatModel,
    name: str,
    *,
    price: Price | None = None,
    limits: Limits = Limits(),  # noqa: B008  immutable
    concurrency: int = 16,
    calls: Calls | None = None,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Ask `model`, which goes by `name`, all steps that are missing in `calibration`; `progress` is told of each.

    Raises:
        MakerError: why it stopped; what is in the file is kept, and the same call goes on.
    """
    task = guarded(task)
    asked, cap = calibration.asked, calibration.asked.caps[name]
    purse = _Purse(price, limits, calibration)
    made: Calls = {**(calls or {}), "meter": purse}
    sampler = Sampler([model], temperature=asked.temperature, max_tokens=cap, seed=asked.seed, **made)
    flags = Voting(max_tokens=cap).flags
    steps = iter(calibration.missing(name))

    async def work() -> None:
        for number in steps:
            state = state_at(task, number)
            prompt = task.prompt(state)
            samples = await asyncio.gather(*(sampler.adraw(prompt, index) for index in range(asked.samples)))
            how = replace(reading_of(task, state, check=asked.check), red_flags=flags)
            truth = _truth_of(task, state, how) if asked.truth else None
            calibration.add(_step(name, number, judge_all(samples, how), [sample.seconds for sample in samples], truth, price))
            progress()

    workers: list[asyncio.Future[None]] = []
    try:
        async with asyncio.timeout(None if limits.minutes is None else 60 * limits.minutes) as deadline:
            workers += [asyncio.ensure_future(work()) for _ in range(max(1, concurrency // asked.samples))]
            await asyncio.gather(*workers)
    except TimeoutError:
        if deadline.expired():
            raise LimitReached(f"The limit of {limits.minutes:g} minutes is reached: call it again.") from None
        raise
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _known(task: Task) -> Known:
    if not isinstance(task, Known):
        raise UsageError("The task has neither state_at(step) nor truth(state).")
    return task


def _truth_of(task: Task, state: Any, how: Reading) -> str:
    """Return the candidate of the right answer."""
    truth = _known(task).truth(state)
    return candidate_of(truth if how.key is None else how.key(plain(truth)))


def _step(  # noqa: PLR0917  a line of the file, from all that it is made of
    name: str, number: int, judged: Sequence[Judged], seconds: Sequence[float], truth: str | None, price: Price | None
) -> Step:
    ballot = list(count(j["candidate"] for j in judged if j["flag"] is None))
    right = ballot.index(truth) if truth in ballot else None
    return Step(
        model=name,
        step=number,
        sequence=[j["flag"] or ballot.index(j["candidate"]) for j in judged],
        right=right,
        candidates=[] if right is not None and len(ballot) == 1 else ballot,
        input=sum(j["usage"]["input"] for j in judged),
        cached=sum(j["usage"]["cached"] for j in judged),
        lengths=[j["usage"]["output"] for j in judged],
        seconds=[round(each, 4) for each in seconds],
        cost=0.0 if price is None else math.fsum(price(j["usage"]) for j in judged),
    )


@dataclass(slots=True)
class _Purse:
    """Keeps the account of a calibration: what its file tells of earlier calls, and all that this one does."""

    price: Price | None
    limits: Limits
    calibration: InitVar[Calibration]
    cost: float = field(init=False)
    calls: int = field(init=False)

    def __post_init__(self, calibration: Calibration) -> None:
        self.cost = math.fsum(step.cost for step in calibration.steps.values())
        self.calls = sum(len(step.sequence) for step in calibration.steps.values())

    def reserve(self, most: Usage, /) -> None:
        """Set aside the most that a request can use.

        Raises:
            LimitReached: it might exceed a limit.
        """
        cost, calls = self.cost + self._cost(most), self.calls + 1
        if cost > (math.inf if self.limits.cost is None else self.limits.cost):
            raise LimitReached(f"The limit of ${self.limits.cost:g} is reached: call it again with a higher --max-cost.")
        if calls > (math.inf if self.limits.calls is None else self.limits.calls):
            raise LimitReached(f"The limit of {self.limits.calls:,} calls is reached: call it again with a higher --max-calls.")
        self.cost, self.calls = cost, calls

    def settle(self, most: Usage, call: Call, /) -> None:
        """Put what a sample used in the place of what was set aside."""
        sample = call.sample
        usage = Usage(input=sample.input_tokens, cached=sample.cached_tokens, output=sample.output_tokens)
        self.cost += self._cost(usage) - self._cost(most)

    def abandon(self, most: Usage, /, *, billed: bool) -> None:
        """Count a request that failed."""
        self.cost -= 0.0 if billed else self._cost(most)

    def _cost(self, usage: Usage) -> float:
        return 0.0 if self.price is None else self.price(usage)
